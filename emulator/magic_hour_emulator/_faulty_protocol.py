"""The layer between the TCP socket and the HTTP server, where network faults happen.

Rule: the server above sends whole responses and never learns what happens to them on the wire. A protocol without a
script passes everything through, at the cost of one comparison per write.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Ending", "FaultyProtocol", "Script"]

Ending = Literal["reset", "close", "stall", "garbage"]

# With a linger time of 0, close() sends a reset. On Windows the struct has shorter integers.
_NO_LINGER: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_PIECES_PER_SECOND: Final = 20
_HIGH_WATER_BYTES: Final = 64 * 1024
_GARBAGE: Final = b"\x16\x03\x01 this is not HTTP \x00\xff\r\n\r\n"


@dataclass(frozen=True)
class Script:
    """What happens to one response on the wire.

    `then` ends it after `at_byte` bytes of the body, or before its first byte if that is None, and then `happened` is
    called. A response that is complete before that is left alone. `rate` is in bytes per second. `head` rewrites the
    status line and headers. Unless `keep` is true, the connection is closed after the response.
    """

    then: Ending | None = None
    at_byte: int | None = None
    rate: float | None = None
    head: Callable[[bytes], bytes] = lambda head: head
    keep: bool = True
    happened: Callable[[], None] = lambda: None


class FaultyProtocol(asyncio.Protocol):
    """One connection: the socket's protocol, wrapped around the HTTP server's own.

    The application finds it as `scope["state"]["protocol"]`; `lost` is set when the connection has ended. Use it in the
    event loop only, except for `release`.
    """

    def __init__(self, *, app_state: dict[str, Any], **options: Any) -> None:
        # Not httptools, even where it is installed: it reads request headers without any limit.
        make = cast(Callable[..., asyncio.Protocol], H11Protocol)
        self._server = make(app_state={**app_state, "protocol": self}, **options)
        self._tap: _Tap
        self._socket: asyncio.Transport
        self._script: Script | None = None
        self._silent = False
        self._stalled = False
        self._head: bytes | None = b""
        self._passed = 0
        self._unsent = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._finished = False
        self._closing = False
        self.lost = asyncio.Event()
        self.released = False

    # --- from the socket to the server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = cast(asyncio.Transport, transport)
        self._tap = _Tap(self, self._socket)
        self._server.connection_made(cast(asyncio.Transport, self._tap))

    def data_received(self, data: bytes) -> None:
        # Not an attribute set later: uvloop looks the method up once, before `connection_made`.
        self._server.data_received(data)

    def eof_received(self) -> bool | None:
        return self._server.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._script, self._silent = None, True
        self._unsent.clear()
        if self._timer:
            self._timer.cancel()
        self._server.connection_lost(exc)
        self.lost.set()

    def pause_writing(self) -> None:
        self._server.pause_writing()

    def resume_writing(self) -> None:
        if not self._stalled:
            self._server.resume_writing()

    # --- from the application

    def play(self, script: Script) -> None:
        """Apply a script to the response that begins now."""
        self._script, self._head, self._passed, self._finished = script, b"", 0, False

    def finish(self) -> None:
        """The response is complete; the script does not apply to the next one."""
        self._finished = True
        if self._script and not self._unsent and not self._stalled:
            self._end_response()

    def end(self, what: Ending) -> None:
        """Send nothing more, and end the connection like this; `stall` leaves it open."""
        self._silent = True
        if what == "stall":
            self._stalled = True
            self._server.pause_writing()
            if self.released:  # already
                self._socket.abort()
        elif what == "reset":
            cast(socket.socket, self._socket.get_extra_info("socket")).setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
            )
            self._socket.abort()
        else:
            if what == "garbage":
                self._socket.write(_GARBAGE)
            self._socket.close()

    def release(self) -> None:
        """Close the connection if it is stalled, or as soon as it stalls. From any thread, at any time."""
        with suppress(RuntimeError):  # the loop has ended, and the connection with it
            self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self.released = True
        if self._stalled:
            self._socket.abort()

    def release_after(self, seconds: float) -> None:
        """Close a stalled connection after some seconds."""
        self._timer = self._loop.call_later(seconds, self._release)

    # --- from the server to the socket

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Pass bytes of the server to the client, as the script says."""
        if self._silent:
            return
        script = self._script
        if script is None:
            self._socket.write(data)
        elif script.then and script.at_byte is None:
            self._withhold(script, script.then)
        elif self._head is not None:
            self._send_head(script, bytes(data))
        else:
            self._send_body(script, bytes(data))

    def close(self) -> None:
        """The server wants to close: do so once everything is sent, and not at all while the connection is stalled."""
        self._closing = True
        if not self._stalled and not self._unsent:
            self._socket.close()

    def _send_head(self, script: Script, data: bytes) -> None:
        head, end, body = ((self._head or b"") + data).partition(b"\r\n\r\n")
        if not end:
            self._head = head
            return
        self._head = None
        self._emit(script, script.head(head) + end)
        if body:
            self._send_body(script, body)

    def _send_body(self, script: Script, data: bytes) -> None:
        limit = script.at_byte if script.then else None
        room = len(data) if limit is None else limit - self._passed
        self._emit(script, data[:room])
        self._passed += min(room, len(data))
        if script.then and len(data) > room:
            self._withhold(script, script.then)

    def _withhold(self, script: Script, what: Ending) -> None:
        script.happened()
        self.end(what)

    def _emit(self, script: Script, data: bytes) -> None:
        if script.rate is None:
            self._socket.write(data)
            return
        self._unsent += data
        if len(self._unsent) > _HIGH_WATER_BYTES:
            self._server.pause_writing()
        if self._timer is None:
            self._drip()

    def _drip(self) -> None:
        """Send the next piece and schedule the one after it."""
        script = self._script
        self._timer = None
        if script is None or script.rate is None:
            return
        piece = max(1, int(script.rate / _PIECES_PER_SECOND))
        self._socket.write(bytes(self._unsent[:piece]))
        del self._unsent[:piece]
        if len(self._unsent) <= _HIGH_WATER_BYTES:
            self._server.resume_writing()
        if self._unsent:
            self._timer = self._loop.call_later(piece / script.rate, self._drip)
        elif self._finished or self._closing:
            self._end_response()

    def _end_response(self) -> None:
        script, self._script = self._script, None
        if self._closing or (script and not script.keep):
            self._socket.close()


class _Tap:
    """The socket as the server sees it: writing and closing go through the faulty protocol."""

    def __init__(self, protocol: FaultyProtocol, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.write = protocol.send
        self.close = protocol.close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
