"""Loopback servers that misbehave as told, for what the emulator is too well-mannered to do."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

LIMIT_SECONDS = 60
"""How long to wait for what has to happen. Only a hang takes so long: what it is for ends the wait at once."""

Behave = Callable[[socket.socket, bytes], None]
"""Called with the connection and the head of the request."""


class Server:
    """Accepts connections and lets `behave` answer each request; `heads` are the requests' heads."""

    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.heads: list[bytes] = []
        self.connections = 0
        self.done = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
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
        with connection, suppress(OSError):
            head = read_head(connection)
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
def serving(behave: Behave) -> Iterator[Server]:
    server = Server(behave)
    try:
        yield server
    finally:
        server.close()


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(4096)
        if not chunk:
            break
        head += chunk
    return head


def wait_until(condition: Callable[[], object]) -> None:
    """Return once the condition holds."""
    until = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.002)


def drip(connection: socket.socket, data: bytes, done: threading.Event, pause: float = 0.05) -> None:
    """Send a byte at a time; always quicker than any timeout between two bytes."""
    for byte in data:
        if done.wait(pause):
            return
        connection.sendall(bytes([byte]))
