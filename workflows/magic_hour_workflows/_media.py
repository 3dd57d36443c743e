"""What a file is, by its first bytes.

Rule: bytes count more than a name, a URL or a Content-Type. Signatures are those of the `filetype` library, which
only the first file that needs one loads. Text is never media: several signatures are two or three ordinary letters.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from magic_hour_client.types import AssetRole

FIRST_BYTES = 1445
"""How much of a file is examined: what browsers take (https://mimesniff.spec.whatwg.org/, "resource header")."""

_NEVER_IN_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""The "binary data bytes" of the same standard."""
_WIDE_TEXT = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MARKUP = re.compile(rb"\s*(<[a-zA-Z!?/]|[{\[]\s*[\"{\[}\]])")
_WIDE_MARKUP = re.compile(rb"(<\0[a-zA-Z!?/]\0|\0<\0[a-zA-Z!?/]|\{\0\"\0|\0\{\0\")")
"""How HTML, XML and JSON begin, in old encodings and in UTF-16 without its mark too, and no format of media does. A
film may begin with `\0\0\0<ftyp`, which is neither."""

_ROLES: tuple[AssetRole, ...] = ("image", "audio", "video")
_EXTENSIONS = {"apng": "png", "jpx": "jp2", "tif": "tiff", "midi": "mid"}
"""Names that the library and the service spell differently."""
_BOTH: dict[str, tuple[AssetRole, ...]] = {"webm": ("video", "audio"), "mp4": ("video", "audio")}
"""Containers whose first bytes do not say whether there are pictures in them."""


class Media(NamedTuple):
    extension: str
    """The usual one, lowercase, without its dot."""
    roles: tuple[AssetRole, ...]
    """What a file of this format can be, the likeliest first; empty for what is not media, such as an archive."""


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

    found = filetype.guess(bytes(first_bytes[:FIRST_BYTES]))
    if found is None:
        return None
    extension = str(found.extension)
    extension = _EXTENSIONS.get(extension, extension)
    role = str(found.mime).partition("/")[0]
    return Media(extension, _BOTH.get(extension) or tuple(known for known in _ROLES if known == role))


def is_text(first_bytes: bytes) -> bool:
    """Whether these are the first bytes of a text, such as HTML, XML or JSON, in an encoding of today.

    >>> is_text("<Error>Zugriff verweigert: «Bild»</Error>".encode()), is_text(b"\\x89PNG\\r\\n\\x1a\\n")
    (True, False)
    """
    first_bytes = bytes(first_bytes[:FIRST_BYTES])
    if first_bytes.startswith(_WIDE_TEXT) or _MARKUP.match(first_bytes) or _WIDE_MARKUP.match(first_bytes):
        return True
    if _NEVER_IN_TEXT.search(first_bytes):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first_bytes)  # which may end within a character
    except UnicodeDecodeError:
        return False
    return True


_SAME = (
    {"jpg", "jpeg", "jfif"},
    {"png", "apng"},
    {"tiff", "tif"},
    {"heic", "heif"},
    {"jp2", "jpx"},
    {"mp4", "m4v", "m4a"},
    {"webm", "weba"},
    {"ogg", "oga", "ogv", "opus"},
    {"aiff", "aif"},
)
"""Extensions of one format: a name keeps the one it was given."""
_TYPES = {
    **{f"image/{name}": name for name in ("png", "webp", "gif", "avif", "heic", "heif", "tiff", "bmp", "jp2", "jxl")},
    **{f"video/{name}": name for name in ("mp4", "webm")},
    **{f"audio/{name}": name for name in ("wav", "aac", "flac", "ogg", "opus", "aiff", "amr")},
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/svg+xml": "svg",
    "video/quicktime": "mov",
    "video/x-m4v": "m4v",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/x-flac": "flac",
    "audio/x-aiff": "aiff",
    "audio/webm": "weba",
    "application/zip": "zip",
    "application/x-zip-compressed": "zip",
}
"""What a `Content-Type` calls the formats of outputs."""
_SAYS_NOTHING = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download"})


def output_extension(first_bytes: bytes, content_type: str, expected: str) -> str | None:
    """The extension for an output; None if this is not an output but a page or a message in its place.

    Known signatures decide, then the Content-Type, then the expected name. Bytes of no known format are an output if
    their Content-Type is that of one, or is missing; text never is, nor what is certainly something else (a PDF, a
    compressed page), whatever its Content-Type.

    Args:
        first_bytes: `FIRST_BYTES` of it, or all if there are fewer.
        content_type: as storage gives it.
        expected: the extension that the output would have by its name or its URL.

    >>> output_extension(b"\\x89PNG\\r\\n\\x1a\\n", "", "jpg")
    'png'
    >>> output_extension(b"\\xff\\xd8\\xff\\xe0", "image/png", "jpeg")
    'jpeg'
    >>> output_extension(b'{"error": 1}', "image/png", "png") is None
    True
    """
    media_type = content_type.partition(";")[0].strip().lower()
    by_type = _TYPES.get(media_type)
    if is_text(first_bytes):
        return by_type if by_type == "svg" and b"<svg" in first_bytes else None
    media = sniff(first_bytes)
    if media is not None:
        return _named(media.extension, expected) if media.roles or media.extension == "zip" else None
    if not _NEVER_IN_TEXT.search(first_bytes):
        return None  # text in an older encoding: this many bytes of a media file have all values among them
    if by_type is not None:
        return _named(by_type, expected)
    return expected if media_type in _SAYS_NOTHING or is_media_type(media_type) else None


def is_media_type(content_type: str) -> bool:
    """Whether it is the type of a picture, a video or sound."""
    return content_type.strip().lower().startswith(("image/", "video/", "audio/"))


def _named(extension: str, expected: str) -> str:
    return expected if any({extension, expected} <= same for same in _SAME) else extension
