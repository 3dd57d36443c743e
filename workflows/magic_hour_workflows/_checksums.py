"""Checksums that storage reports with a file.

Rule: the strongest reported one counts. One that is missing, malformed or about other bytes than those that arrive
proves nothing, so it is not a reason to refuse a file. An ETag is not a checksum.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from ._unpacking import encoding_names


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _CRC32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4)  # the first byte is the highest


_ALGORITHMS: Mapping[str, Callable[[], _Hash]] = {
    "SHA-256": hashlib.sha256,
    "SHA-1": partial(hashlib.sha1, usedforsecurity=False),
    "MD5": partial(hashlib.md5, usedforsecurity=False),
    "CRC-32": _CRC32,
}
_WAYS = (
    ("SHA-256", "x-amz-checksum-sha256", ""),
    ("SHA-256", "repr-digest", "sha-256"),
    ("SHA-256", "digest", "sha-256"),
    ("SHA-256", "content-digest", "sha-256"),
    ("SHA-1", "x-amz-checksum-sha1", ""),
    ("MD5", "x-goog-hash", "md5"),
    ("MD5", "content-md5", ""),
    ("CRC-32", "x-amz-checksum-crc32", ""),
)
"""The header of each checksum, and its key if a header can hold several; the strongest first."""
_OF_THE_ANSWER = frozenset({"content-digest", "content-md5"})
"""These cover the bytes of this answer (RFC 9530, RFC 2616), which may be a part of the file; others cover the file."""


class Checksum:
    """A reported checksum, and that of the bytes received so far."""

    def __init__(self, name: str, reported: bytes) -> None:
        self.name = name
        self._reported = reported
        self._hash = _ALGORITHMS[name]()

    def update(self, chunk: bytes) -> None:
        self._hash.update(chunk)

    @property
    def fits(self) -> bool:
        return self._hash.digest() == self._reported


def reported(headers: Mapping[str, str], *, part: bool = False, unpacked: bool = False) -> Checksum | None:
    """The checksum that a response reports, if any.

    Args:
        headers: names in lowercase.
        part: whether the answer is partial, so that a checksum of the whole file does not apply.
        unpacked: whether the decompressed bytes are meant: storage or a proxy in front of it may have compressed
            the file only now.

    >>> reported({"content-md5": "CY9rzUYh03PK3k6DJie09g=="}).name
    'MD5'
    """
    for name, header, key in _WAYS:
        if header not in headers or (part and header not in _OF_THE_ANSWER):
            continue
        sent = [] if unpacked else encoding_names(headers.get("content-encoding", ""))
        if header == "x-goog-hash" and encoding_names(headers.get("x-goog-stored-content-encoding", "")) != sent:
            continue  # the checksum is of what is stored, compressed or not; what comes is the other one
        digest = _decoded(_value(headers[header], key))
        if len(digest) == len(_ALGORITHMS[name]().digest()):
            return Checksum(name, digest)
    return None


def _value(text: str, key: str) -> str:
    """One of the values of `md5=…,crc32c=…` or of `sha-256=:…:`; without a key, the text is the value."""
    if not key:
        return text
    pairs = [item.strip().partition("=") for item in text.split(",")]
    return next((value for name, _, value in pairs if name.lower() == key), "").strip(":")


def _decoded(text: str) -> bytes:
    """None for what is not base64, such as the checksum of checksums of an upload in parts, which ends in `-3`."""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        return b""
