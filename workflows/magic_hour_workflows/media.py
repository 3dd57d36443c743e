"""What a file is, told by its first bytes.

Rule: bytes are believed before a name, a URL or a Content-Type. Signatures are those of the `filetype` library, which
only the first file that needs one loads. Text is never media: several signatures are two or three ordinary letters.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, NamedTuple

from magic_hour_client.types import AssetRole

FIRST_BYTES = 1445
"""How much of a file is looked at: what browsers take (https://mimesniff.spec.whatwg.org/, "resource header")."""

_NEVER_IN_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""The "binary data bytes" of the same standard."""
_WIDE_TEXT = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_ROLES: tuple[AssetRole, ...] = ("image", "audio", "video")
_EXTENSIONS = {"apng": "png", "jpx": "jp2", "tif": "tiff", "midi": "mid"}
"""Where the library says it in another way than the service does."""
_BOTH: dict[str, tuple[AssetRole, ...]] = {"webm": ("video", "audio"), "mp4": ("video", "audio")}
"""Containers whose first bytes do not say whether there are pictures in them."""


class Media(NamedTuple):
    """A format of files."""

    extension: str
    """The usual one, lowercase, without its dot."""
    roles: tuple[AssetRole, ...]
    """What a file of this format can be, the likeliest first; nothing for what is no media, such as an archive."""


def sniff(first_bytes: bytes) -> Media | None:
    """The format that the first `FIRST_BYTES` of a file belong to; None if they are text, or of no known format.

    >>> sniff(b"\\x89PNG\\r\\n\\x1a\\n")
    Media(extension='png', roles=('image',))
    >>> sniff(b"BMW and other cars") is None
    True
    """
    if is_text(first_bytes):
        return None
    import filetype

    found: Any = filetype.guess(bytes(first_bytes[:FIRST_BYTES]))
    if found is None:
        return None
    extension = _EXTENSIONS.get(found.extension, found.extension)
    role = found.mime.partition("/")[0]
    return Media(extension, _BOTH.get(extension) or tuple(known for known in _ROLES if known == role))


def is_text(first_bytes: bytes) -> bool:
    """Whether these are the first bytes of a text, such as HTML, XML or JSON, in an encoding of today.

    >>> is_text("<Error>Zugriff verweigert: «Bild»</Error>".encode()), is_text(b"\\x89PNG\\r\\n\\x1a\\n")
    (True, False)
    """
    first_bytes = bytes(first_bytes[:FIRST_BYTES])
    if first_bytes.startswith(_WIDE_TEXT):
        return True
    if _NEVER_IN_TEXT.search(first_bytes):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first_bytes)  # which may end within a character
    except UnicodeDecodeError:
        return False
    return True
