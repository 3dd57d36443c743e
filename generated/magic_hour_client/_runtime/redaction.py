"""Text from outside, made safe to show: without the API key, without signed URLs, without control characters.

Rule: the key is found in every way in which JSON can spell it, because whoever repeats it chooses the spelling.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_URL_SECRETS = re.compile(r"(?<=[a-z]://)[^/\s\"'<>@]*@|(?<=[?#])[^\s\"'<>]+")
_MAX_MESSAGE = 500
_UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters, direction marks, invisible characters, and halves of surrogate pairs, which no encoding has.
Joiners stay: letters and emoji are made with them."""
REDACTED = b"[API key]"
_SHORTEST_KEY = 8
"""Characters; a shorter key is made up, and may be a word of any response."""


def without_secrets(text: str) -> str:
    """`text` with the user info, query and fragment of every URL replaced by an ellipsis.

    >>> without_secrets("see https://storage.example/a.png?signature=abc for more")
    'see https://storage.example/a.png?… for more'
    """
    return _URL_SECRETS.sub("…", text) if "://" in text else text


def escaped(text: str, *, keep: str = "") -> str:
    """`text` on one line and safe to show, with escapes in place of everything else.

    Args:
        text: text from outside: from the service, from storage, from a file.
        keep: characters to leave as they are, such as line breaks of our own.

    >>> print(escaped("a" + chr(27) + "[31mb" + chr(10)))
    a\\x1b[31mb\\n
    """
    return _UNSHOWN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)


def clean(value: object) -> str | None:
    """Text of the service as part of a message: one line of limited length, without secrets; None if there is none."""
    if not isinstance(value, (str, int, float)):
        return None
    printable = "".join(c if c.isprintable() else " " for c in str(value)[: 4 * _MAX_MESSAGE])
    text = without_secrets(" ".join(printable.split()))
    return (text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…") or None


def redacting(key: str) -> Callable[[bytes, bool], bytes]:
    """A function that removes `key` from the content of a response, given whether that is a success."""
    plain = key.encode()
    # An even number of backslashes before the key is text of its own.
    pattern = re.compile(rb"(?<!\\)((?:\\\\)*)" + b"".join(_spellings(character) for character in key))

    def redacted(content: bytes, success: bool) -> bytes:
        if success and len(key) < _SHORTEST_KEY:
            return content
        content = _in_utf8(content)
        if b"\\" in content:
            content = pattern.sub(rb"\1" + REDACTED, content)
        return content.replace(plain, REDACTED) if plain in content else content

    return redacted


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
