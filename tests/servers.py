"""Loopback servers that misbehave in ways the emulator does not."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

LIMIT_SECONDS = 60
"""How long to wait for an event. Only a hang takes so long: the event itself ends the wait at once."""

Behave = Callable[[socket.socket, bytes], None]
"""Called with the connection and the head of the request."""
Read = Callable[[socket.socket], bytes]


class Server:
    """Accepts connections and lets `behave` answer each request; `heads` are the requests' heads.

    Args:
        behave: handles one connection, in a thread; returning closes it.
        tls: use TLS with this context.
        read: reads the request before `behave` is called.
    """

    def __init__(self, behave: Behave, tls: ssl.SSLContext | None = None, read: Read | None = None) -> None:
        self.behave = behave
        self.heads: list[bytes] = []
        self.connections = 0
        self.done = threading.Event()
        self._tls = tls
        self._read = read or read_head
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection:
                head = self._read(connection)
                self.heads.append(head)
                self.behave(connection, head)

    def close(self) -> None:
        self.done.set()
        # Closing alone does not wake a thread that waits in `accept`.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(LIMIT_SECONDS)


@contextmanager
def serving(behave: Behave, tls: ssl.SSLContext | None = None, read: Read | None = None) -> Iterator[Server]:
    server = Server(behave, tls, read)
    try:
        yield server
    finally:
        server.close()


def read_head(connection: socket.socket) -> bytes:
    """The head of a request, or as much as arrived before the client disconnected."""
    head = b""
    while b"\r\n\r\n" not in head and (chunk := connection.recv(4096)):
        head += chunk
    return head


def read_request(connection: socket.socket) -> bytes:
    """The head and the body of a request."""
    head, end, body = read_head(connection).partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length and (chunk := connection.recv(65536)):
        body += chunk
    return head + end + body


def silent(connection: socket.socket, request: bytes) -> None:
    """Send nothing until the client disconnects."""
    connection.recv(1)


def closes(connection: socket.socket, request: bytes) -> None:
    """Close the connection without a response."""


def says(content: bytes) -> Behave:
    """Respond with these bytes."""
    return lambda connection, request: connection.sendall(content)


def wait_until(condition: Callable[[], object]) -> None:
    """Return once the condition holds."""
    until = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.002)


def drip(connection: socket.socket, data: bytes, done: threading.Event, pause: float = 0.05) -> None:
    """Send one byte at a time, always faster than any timeout between two bytes."""
    for byte in data:
        if done.wait(pause):
            return
        connection.sendall(bytes([byte]))
