"""Decompresses outputs that storage sends compressed, as they arrive.

Rule: nothing compressed is requested, but a paid output that arrives compressed anyway is kept. Only one piece at a
time is in memory, and what becomes unreasonably large is refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE_BYTES = 256 * 1024
ALWAYS_UNPACKED = 64 * 1024 * 1024
MOST_TIMES_LARGER = 100
"""Bytes that are always accepted, and how many times larger than it was sent a file may become beyond that. Media are
compressed already and hardly shrink; DEFLATE can shrink zeros to a thousandth."""

_AS_IT_IS = frozenset({"", "identity", "none", "aws-chunked"})
"""Names for no encoding. `aws-chunked` is how some programs upload to S3, which keeps the name and not the chunks."""
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_MAGIC = b"\x1f\x8b"


class NotUnpackable(ValueError):
    """The bytes are compressed in an unknown way, or not in the way that the answer says."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Unpacker:
    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._begun = b""
        self._stream: zlib._Decompress | None = None
        self._as_it_is = False
        self._taken = 0
        self._made = 0

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        """The next bytes, decompressed, in pieces.

        Raises:
            NotUnpackable: they are invalid, or become too large.
        """
        self._taken += len(chunk)
        if self._stream is None:
            chunk = self._begun = self._begun + chunk
            if len(chunk) < len(_GZIP_MAGIC):
                return
            self._stream = self._begin(chunk)
        if self._as_it_is:
            yield chunk
            return
        try:
            yield from self._inflated(self._stream, chunk)
        except zlib.error:
            raise NotUnpackable(f"storage sent {self._encoding} data that cannot be decompressed") from None

    def _begin(self, first_bytes: bytes) -> zlib._Decompress:
        if self._encoding in _GZIP:
            self._as_it_is = not first_bytes.startswith(_GZIP_MAGIC)  # only the name says that it is compressed
            window = zlib.MAX_WBITS | 16
        else:
            # `deflate` means with the header of zlib (RFC 9110); some send it without, and clients take both.
            has_header = first_bytes[0] & 15 == 8 and int.from_bytes(first_bytes[:2]) % 31 == 0
            window = zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
        return zlib.decompressobj(window)

    def _inflated(self, stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        piece = b""
        while data or len(piece) == PIECE_BYTES:
            if stream.eof:
                data = data.lstrip(b"\0")  # padding; else another part of the file, as gzip allows
                if not data:
                    return
                stream = self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            piece = stream.decompress(data, PIECE_BYTES)
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
            self._made += len(piece)
            if self._made > max(ALWAYS_UNPACKED, MOST_TIMES_LARGER * self._taken):
                raise NotUnpackable("storage sent a file that becomes too large when it is decompressed", final=True)
            yield piece

    @property
    def finished(self) -> bool:
        return self._as_it_is or (self._stream is not None and self._stream.eof)


def encoding_names(encodings: str) -> list[str]:
    """Those of a `Content-Encoding` that change the bytes.

    >>> encoding_names("aws-chunked, GZIP")
    ['gzip']
    """
    return [name for part in encodings.split(",") if (name := part.strip().lower()) not in _AS_IT_IS]


def unpacker(encodings: str) -> Unpacker | None:
    """The decompressor for an answer with this `Content-Encoding`; None if it is not compressed.

    Raises:
        NotUnpackable: it is compressed in an unsupported way.

    >>> unpacker("aws-chunked") is None, unpacker("gzip") is None
    (True, False)
    """
    names = encoding_names(encodings)
    if not names:
        return None
    if len(names) > 1 or names[0] not in {*_GZIP, "deflate"}:
        known = names[0] if names[0].isascii() and names[0].isalnum() and len(names[0]) < 20 else "unknown"
        raise NotUnpackable(f"storage sent the file in an encoding that was not asked for ({known})", final=True)
    return Unpacker(names[0])
