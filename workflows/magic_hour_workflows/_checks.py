"""Mistakes across fields that are wrong for every plan and model, found before anything is uploaded or charged.

Rule: only what the service can never accept. The bounds of a single field are the contract's, and checked where the
request is written; what the service may accept tomorrow, such as a new model, is left to the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from magic_hour_client.errors import Argument, InvalidArgument

LONGEST_CLIP_SECONDS = 300
"""The longest clip of any plan and mode (AI Talking Photo API, August 2026)."""


def check(operation: str, body: Mapping[str, Any]) -> None:
    """Check the JSON body of a call.

    Raises:
        InvalidArgument: naming the field and what to do.
    """
    if operation in _CHECKS:
        _CHECKS[operation](body)


def checked_flag(name: str, value: object) -> bool:
    """True or False, and no value that only counts as one: the word "no" from a configuration file would be True.

    Raises:
        InvalidArgument: it is neither.
    """
    if isinstance(value, bool):
        return value
    raise InvalidArgument(f"expected True or False, got {type(value).__name__}", field=name)


def _talking_photo(body: Mapping[str, Any]) -> None:
    start, end = body.get("start_seconds"), body.get("end_seconds")
    if not isinstance(start, (int, float)) or not isinstance(end, (int, float)):
        return
    if end <= start:
        raise InvalidArgument(
            (f"{end:g} is not after ", Argument("start_seconds"), f" {start:g}"),
            "give a later second",
            field="end_seconds",
        )
    if end - start > LONGEST_CLIP_SECONDS:
        longest = f"longer than the {LONGEST_CLIP_SECONDS} s that any plan allows"
        raise InvalidArgument(f"a clip of {end - start:g} s is {longest}", "ask for a shorter one", field="end_seconds")


def _image_editor(body: Mapping[str, Any]) -> None:
    assets = body.get("assets") or {}
    if not assets.get("image_file_paths") and not assets.get("image_file_path"):
        field = "assets.image_file_paths"
        raise InvalidArgument("there is no image to edit", "give at least one", field=field)


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "v1.ai_talking_photo.create": _talking_photo,
    "v1.ai_image_editor.create": _image_editor,
}
