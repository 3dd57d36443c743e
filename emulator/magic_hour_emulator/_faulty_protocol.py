"""The layer between the TCP socket and the HTTP server, where network faults happen.

Rule: the server above sends whole replies and never knows what becomes of them on the wire. A line without a script
passes everything through, at the cost of one comparison per write.
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

__all__ = ["Ending", "Line", "Script"]

Ending = Literal["reset", "close", "stall", "garbage"]

# Lingering for no time makes close() send a reset; the struct has other integers on Windows.
_NO_LINGER: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_PIECES_PER_SECOND: Final = 20
_HIGH_WATER_BYTES: Final = 64 * 1024
_GARBAGE: Final = b"\x16\x03\x01 this is not HTTP \x00\xff\r\n\r\n"


@dataclass(frozen=True)
class Script:
    """What becomes of one reply on the wire.

    `then` ends it after `at_byte` bytes of the body, or before its first byte if that is None, and only if there is
    anything left to withhold; `happened` is called when it does. `rate` is in bytes per second. `head` rewrites the
    status line and headers. Unless `keep` is true, the connection is closed after the reply.
    """

    then: Ending | None = None
    at_byte: int | None = None
    rate: float | None = None
    head: Callable[[bytes], bytes] = lambda head: head
    keep: bool = True
    happened: Callable[[], None] = lambda: None


class Line(asyncio.Protocol):
    """One connection: the protocol of the socket, and around the HTTP server's own protocol.

    The application finds it as `scope["state"]["line"]`; `lost` says that it is over. All of it belongs to the event
    loop, but `release` may be called from any thread.
    """

    def __init__(self, *, app_state: dict[str, Any], **options: Any) -> None:
        # Not httptools where it is installed: it reads request headers without any limit.
        make = cast(Callable[..., asyncio.Protocol], H11Protocol)
        self._server = make(app_state={**app_state, "line": self}, **options)
        self._tap: _Tap
        self._socket: asyncio.Transport
        self._script: Script | None = None
        self._silent = False
        self._stalled = False
        self._head: bytes | None = b""
        self._passed = 0
        self._waiting = bytearray()
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
        # A method of the class: uvloop looks methods up once, before `connection_made`, and misses a later one.
        self._server.data_received(data)

    def eof_received(self) -> bool | None:
        return self._server.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._script, self._silent = None, True
        self._waiting.clear()
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
        """Let this become of the reply that begins now."""
        self._script, self._head, self._passed, self._finished = script, b"", 0, False

    def finish(self) -> None:
        """The reply is complete; the next one is on its own."""
        self._finished = True
        if self._script and not self._waiting and not self._stalled:
            self._end()

    def act(self, what: Ending) -> None:
        """Send nothing more, and end the connection in this way; `stall` leaves it open."""
        self._silent = True
        if what == "stall":
            self._stalled = True
            self._server.pause_writing()
            if self.released:  # before it began
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
        """Close the connection if it is stalled, or as soon as it will be. From any thread, at any time."""
        with suppress(RuntimeError):  # the loop has ended, and the connection with it
            self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        self.released = True
        if self._stalled:
            self._socket.abort()

    def release_after(self, seconds: float) -> None:
        """Close a stalled connection later."""
        self._timer = self._loop.call_later(seconds, self._let_go)

    # --- from the server to the socket

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes of the server on their way to the client."""
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
        """The server's wish to close: after what drips; not at all while a client waits in vain."""
        self._closing = True
        if not self._stalled and not self._waiting:
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
        self.act(what)

    def _emit(self, script: Script, data: bytes) -> None:
        if script.rate is None:
            self._socket.write(data)
            return
        self._waiting += data
        if len(self._waiting) > _HIGH_WATER_BYTES:
            self._server.pause_writing()
        if self._timer is None:
            self._drip()

    def _drip(self) -> None:
        """Send the next piece, and come back for more."""
        script = self._script
        self._timer = None
        if script is None or script.rate is None:
            return
        piece = max(1, int(script.rate / _PIECES_PER_SECOND))
        self._socket.write(bytes(self._waiting[:piece]))
        del self._waiting[:piece]
        if len(self._waiting) <= _HIGH_WATER_BYTES:
            self._server.resume_writing()
        if self._waiting:
            self._timer = self._loop.call_later(piece / script.rate, self._drip)
        elif self._finished or self._closing:
            self._end()

    def _end(self) -> None:
        script, self._script = self._script, None
        if self._closing or (script and not script.keep):
            self._socket.close()


class _Tap:
    """The socket as the server sees it: its writes, and its wish to close, go through the line."""

    def __init__(self, line: Line, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.write = line.send
        self.close = line.close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
