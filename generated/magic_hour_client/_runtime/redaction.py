"""The API key is blanked out of every answer, whose words end up in messages and logs.

Rule: it is found in every way in which JSON can spell it, because whoever repeats it chooses the spelling.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

BLANK = b"[API key]"
_LEAST_KEY = 8
"""Characters; a shorter key is one that somebody made up, and may be a word of any answer."""


def blanking(key: str) -> Callable[[bytes, bool], bytes]:
    """A function that takes `key` out of the content of an answer, which is a success or not."""
    plain = key.encode()
    # An even number of backslashes before the key is text of its own.
    pattern = re.compile(rb"(?<!\\)((?:\\\\)*)" + b"".join(_spellings(character) for character in key))

    def blanked(content: bytes, success: bool) -> bytes:
        if success and len(key) < _LEAST_KEY:
            return content
        content = _in_utf8(content)
        if b"\\" in content:
            content = pattern.sub(rb"\1" + BLANK, content)
        return content.replace(plain, BLANK) if plain in content else content

    return blanked


def _spellings(character: str) -> bytes:
    """The character as it is, as JSON escapes it, or as its number."""
    plain, number = re.escape(character).encode(), f"{ord(character):04x}".encode()
    shortly = rb"\\?" if character in '"\\/' else b""
    return rb"(?:%b%b|\\u(?i:%b))" % (shortly, plain, number)


def _in_utf8(content: bytes) -> bytes:
    """JSON may come in UTF-16 and UTF-32 as well, as `json` sees by its zeros."""
    if b"\0" not in content[:4]:
        return content
    try:
        return content.decode(json.detect_encoding(content), "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeError:
        return content
