"""Bodies of responses: read and decompressed up to a limit, and no further.

Rule: whatever arrives, and however well it is compressed, no more than the limit is held in memory. We ask for nothing
compressed, but a proxy may compress anyway, and the response may be to a call that was paid for.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from .schema import Unreadable

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""No response of the service comes near this; a larger one is refused."""
_MOST_LAYERS = 3
_FORMATS = {
    "gzip": (zlib.MAX_WBITS | 16,),
    "x-gzip": (zlib.MAX_WBITS | 16,),
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),  # with the header it should have, or without, as some send it
}


def read(response: httpx.Response) -> bytes | None:
    """The body as it was sent, up to the first chunk beyond the bound.

    None if it was read before, as a hook of the caller's HTTP client may do: httpx has decompressed it then.
    """
    if response.is_stream_consumed:
        return None
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            break
    return bytes(body)


async def aread(response: httpx.Response) -> bytes | None:
    """The same, awaited."""
    if response.is_stream_consumed:
        return None
    body = bytearray()
    chunks = response.aiter_raw()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            await unwind(response, chunks)
            break
    return bytes(body)


async def unwind(response: httpx.Response, chunks: AsyncIterator[bytes]) -> None:
    """Leave a body before its end: its nested generators end one by one when the innermost cannot read.

    Closing the outermost would leave the others to the garbage collector, which trio warns of.
    """
    import anyio

    await close(response)
    with anyio.CancelScope(shield=True), suppress(Exception):
        await anext(chunks, None)


async def close(response: httpx.Response) -> None:
    """Close a response, although this task may have been cancelled; one that was read to its end is closed already."""
    if response.is_closed:
        return
    import anyio

    with anyio.CancelScope(shield=True):
        await response.aclose()


def unpacked(body: bytes, encodings: str) -> bytes:
    """The decompressed body, given the `Content-Encoding`; of a larger one, one byte more than the limit.

    Raises:
        Unreadable: the encoding is unknown, applied too often, or not the one it claims to be.
    """
    names = [name for part in encodings.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if not body or not names:
        return body
    if len(names) > _MOST_LAYERS or not _FORMATS.keys() >= set(names):
        raise Unreadable("its content encoding is not supported")
    for name in reversed(names):
        body = _inflated(body, name)
    return body


def _inflated(body: bytes, name: str) -> bytes:
    for window in _FORMATS[name]:
        with suppress(zlib.error):
            return zlib.decompressobj(window).decompress(body, MAX_ANSWER_BYTES + 1)
    raise Unreadable(f"it is not valid {name}")
