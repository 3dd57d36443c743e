"""Puts the caller's paths and names, and the system's errors about them, into messages.

Rule: one line of limited length, without control characters and without the query of a signed URL.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from magic_hour_client._runtime.redaction import clean, escaped, without_secrets

_LONGEST_SHOWN = 200
_QUERY = re.compile(r"(?<=\S)\?[^\s\"'<>]*=[^\s\"'<>]*")
"""What follows the path in a URL. `Path` makes `https:/` of `https://`, and the last part of a URL has neither."""


def shown(path: object) -> str:
    """A caller's path for a message: on one line of limited length, without the query of a URL.

    >>> shown("a.png?signature=abc"), shown("a\\x1b[31mb.txt")
    ('a.png?…', "'a\\\\x1b[31mb.txt'")
    """
    try:
        text = str(path)
    except Exception:  # noqa: BLE001  (a caller's object may raise anything)
        text = f"<{type(path).__name__}>"
    text = _QUERY.sub("?…", without_secrets(text))
    text = text if text and text.isprintable() and text.strip() == text else repr(text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def last_part(name: str) -> str:
    """The last part of a path or a URL, unchanged except for the query of a URL; `file` if there is none.

    >>> last_part("https://storage.example/a.png?signature=abc"), last_part("pictures/a.png"), last_part("")
    ('a.png', 'a.png', 'file')
    """
    if "://" in name:
        try:
            name = urlsplit(name).path
        except ValueError:
            name = ""
    return os.path.basename(name.rstrip("/")) or "file"


def file_name(name: str) -> str:
    """The last part of a path or a URL for messages, events and logs, without control characters and secrets.

    >>> file_name("/tmp/a\\x1b[31mb.txt"), file_name("a.png?X-Signature=abc")
    ('a\\\\x1b[31mb.txt', 'a.png?…')
    """
    text = _QUERY.sub("?…", last_part(name))
    text = escaped(text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def typed(words: Sequence[str]) -> str:
    """A command that can be pasted into a shell; a word with control characters becomes `...`, to be typed by hand.

    >>> print(typed(["retry", "--database", "a b.sqlite", "\\x1b[2J"]))
    retry --database 'a b.sqlite' ...
    """
    return " ".join(shlex.quote(word) if word.isprintable() else "..." for word in words)


def looked_in(path: str | os.PathLike[str]) -> str:
    """The folder that a relative path starts in, since it is often not the expected one."""
    with suppress(OSError):  # the current folder may be gone
        return "" if os.path.isabs(os.path.expanduser(path)) else f" in {shown(os.getcwd())}"
    return ""


def reason(error: Exception) -> str:
    """The reason that the system, or a caller's object, gives for an error, without the path."""
    text = getattr(error, "strerror", None)
    if isinstance(text, str):
        return text
    try:
        words = _QUERY.sub("?…", clean(str(error)) or "")
    except Exception:  # noqa: BLE001  (a caller's error may be anything)
        words = ""
    plain = isinstance(error, (OSError, ValueError)) and type(error).__module__ == "builtins"
    kind = "" if plain else type(error).__name__
    return ": ".join(part for part in (kind, words.rstrip(".")) if part) or type(error).__name__
