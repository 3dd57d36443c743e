"""Inputs other than files: an upload of a web framework, a Pillow image, a data URI.

Rule: recognized by what they can do, so none of their packages is needed. What cannot be used safely is refused, with
the line to write instead.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import io
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from magic_hour_client.errors import InvalidArgument

from ._streams import ask

LONGEST_DATA_URI = 300_000_000
"""Characters: 200 MB, the smallest limit of an upload (spec/README.md, Facts), are 267 million characters of base64."""
_NAMELESS = "upload"
_PNG_MODES = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")


class Upload(NamedTuple):
    """A file with the name that its sender gave it."""

    name: str
    stream: Any


def upload_of(value: object) -> Upload | None:
    """The file in an upload of Starlette, FastAPI, Flask, aiohttp or bottle; None for any other value."""
    if isinstance(value, io.IOBase) or not _has(value, "filename"):
        return None
    for attribute in ("file", "stream"):
        stream = ask(lambda name=attribute: getattr(value, name, None), None)  # type: ignore[misc]
        read = ask(lambda held=stream: getattr(held, "read", None), None)  # type: ignore[misc]
        if callable(read) and not inspect.iscoroutinefunction(read):
            name = ask(lambda: getattr(value, "filename", None), None)
            return Upload(name if isinstance(name, str) and name else _NAMELESS, stream)
    return None


def is_picture(value: object) -> bool:
    return any((cls.__module__, cls.__name__) == ("PIL.Image", "Image") for cls in type(value).__mro__)


class Picture(io.RawIOBase):
    """A Pillow image as a PNG file, encoded when it is first read, because that is slow."""

    def __init__(self, image: Any) -> None:
        self._image = image
        self._file: io.BytesIO | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size == 0:
            return b""
        if self._file is None:
            self._file = io.BytesIO()
            from PIL.ImageOps import exif_transpose

            image: Any = exif_transpose(self._image)  # PNG would leave it lying on its side
            if image.mode not in _PNG_MODES:
                image = image.convert("RGBA" if image.mode in ("RGBa", "PA", "La") else "RGB")
            image.save(self._file, format="PNG", compress_level=1)
            self._file.seek(0)
        return self._file.read(size)


def data_in(uri: str, field: str) -> bytes:
    """The bytes in a `data:` URI."""
    if len(uri) > LONGEST_DATA_URI:
        raise InvalidArgument(
            f"a data URI of {len(uri)} characters is too long", "write it to a file and give its path", field=field
        )
    head, comma, text = uri.partition(",")
    try:
        encoded = unquote_to_bytes(text)
        content = base64.b64decode(encoded, validate=True) if head.lower().endswith(";base64") else encoded
    except (ValueError, binascii.Error):
        content = b""
    if not comma or not content:
        raise InvalidArgument("the data URI has no readable content", "expected data:image/png;base64,...", field=field)
    return content


def refused(value: object, field: str) -> InvalidArgument:
    """The error for something that is not a file, with the line to write instead where there is one."""
    kind = type(value).__name__
    remedy = "pass one of these"
    if _has(value, "__array_interface__") or _has(value, "__array__"):
        remedy = "pass PIL.Image.fromarray(array), with its channels in the order RGB"
    elif _has(value, "iter_content") or _has(value, "iter_bytes"):
        remedy = 'pass a pair, ("portrait.png", response.content)'
    elif isinstance(value, tuple) and len(value) == 3 and isinstance(value[0], str):
        remedy = "pass its first two parts, (name, content)"
    elif isinstance(value, (list, tuple)):
        remedy = "this field takes one file"
    elif isinstance(value, Mapping):
        remedy = "pass the value that holds the file"
    problem = f"expected a path, an open file, a (name, bytes) pair or a URL, got {kind}"
    return InvalidArgument(problem, remedy, field=field)


def is_answer(value: object) -> bool:
    """Whether it is an httpx response, whose `read` returns everything at once."""
    return _has(value, "iter_bytes")


def _has(value: object, name: str) -> bool:
    """Whether it has such an attribute; its value is not read if its class has the attribute."""
    return hasattr(type(value), name) or ask(lambda: hasattr(value, name), otherwise=False)
