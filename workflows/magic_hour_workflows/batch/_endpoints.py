"""What a row may call: the endpoints that charge credits, by any of the names people know them by.

Rule: the contract lists them; nothing here knows one by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import ModuleType

from magic_hour_client._runtime.schema import wrong_type
from magic_hour_client.errors import InvalidArgument

from .._formatting import shown
from .._hints import meant
from .._operations import module, paid

RESERVED: Mapping[str, str] = {
    "download_directory": "all outputs go to one folder: Batch(output=...) or --output DIR",
    "output_name": "outputs are named by the key of their row",
    "wait_for_completion": "a batch waits for every job",
    "download_outputs": "a batch saves every output",
    "timeout": "it is the same for all: Batch(timeout=...) or --timeout",
    "poll_interval": "it is the same for all: Batch(poll_interval=...) or --poll-interval",
    "on_progress": "there is one listener for all: Batch(on_event=...)",
}
"""Options of `generate` that are none of a row, and what does their work."""


@cache
def names() -> Mapping[str, str]:
    """Every name of every endpoint, and the resource it stands for."""
    known: dict[str, str] = {}
    for name, operation in paid().items():
        short = name.split(".")[1]
        known |= dict.fromkeys((short, short.replace("_", "-"), name, operation["path"]), short)
    return known


def resource(name: object) -> str:
    """The resource that is meant.

    Raises:
        InvalidArgument: there is none of this name.

    Example:
        >>> resource("/v1/ai-image-generator"), resource("ai-image-generator"), resource("v1.ai_image_generator.create")
        ('ai_image_generator', 'ai_image_generator', 'ai_image_generator')
    """
    if not isinstance(name, str):
        raise wrong_type("endpoint", "a string", name)
    if name not in names():
        known = dict.fromkeys(names().values())
        hint = meant(name, known) or f"known are {', '.join(known)}"
        raise InvalidArgument(f"`endpoint`: there is no {shown(name)}; {hint}", field="endpoint")
    return names()[name]


@cache
def whole_name(resource: str) -> str:
    """The operation behind a resource, such as `v1.ai_image_generator.create`."""
    return next(name for name in paid() if name.split(".")[1] == resource)


@cache
def api(resource: str) -> ModuleType:
    """The generated module of a resource's `create`."""
    return module(whole_name(resource))


def not_of_a_row(name: str) -> str:
    """What is said of an option of `generate` in a row."""
    return f"`{name}` is no part of a row: {RESERVED[name]}"
