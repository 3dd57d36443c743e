"""How paths of the caller's, and what the system says of them, are put into messages.

Rule: one line, not endless, and nothing that a signed URL hides.
"""

from __future__ import annotations

import os
from contextlib import suppress

from magic_hour_client.errors import without_secrets

_LONGEST_SHOWN = 200


def shown(path: object) -> str:
    """A path of the caller's in a message: on one line, not endless, without what a signed URL hides."""
    text = without_secrets(str(path))
    text = text if text and text.isprintable() and text.strip() == text else repr(text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def looked_in(path: str | os.PathLike[str]) -> str:
    """The folder in which a relative path begins, which is seldom the one its author had in mind."""
    with suppress(OSError):  # the current folder may be gone
        return "" if os.path.isabs(os.path.expanduser(path)) else f" in {shown(os.getcwd())}"
    return ""


def reason(error: Exception) -> str:
    """What the system says of a path, without the path."""
    return getattr(error, "strerror", None) or str(error).rstrip(".")
