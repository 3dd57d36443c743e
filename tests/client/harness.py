"""What the client's tests share: one way to run a scenario on both clients, and servers that misbehave.

Rule: a scenario is written once, as a function of a client, and `either` runs it blocking, on asyncio and on trio.
Nothing here knows the emulator: what a server does wrong is said in the test, down to the socket.
"""

import inspect
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import anyio
import httpx
import pytest

from magic_hour_client import AsyncClient, Client

KEY = "mhk_live_0123456789abcdef"
ADDRESS = "https://api.example"
CREATED = {"id": "cuid-1", "credits_charged": 5}
PROJECT = {
    "id": "cuid-1",
    "name": "Ai Image image",
    "status": "complete",
    "image_count": 1,
    "type": "AI_IMAGE",
    "created_at": "2026-01-02T03:04:05.678Z",
    "enabled": True,
    "credits_charged": 5,
    "total_frame_cost": 5,
    "downloads": [{"url": "https://images.example/a.png?signature=s3cret", "expires_at": "2026-01-03T03:04:05+02:00"}],
    "error": None,
}

MODES = ("sync", "asyncio", "trio")
Work = Callable[[Any], Any]
Handler = Callable[[httpx.Request], httpx.Response]


# httpx leaves its generators to the garbage collector when a body is not read or sent to its end; trio says so.
abandons_body = pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")


class Either:
    """One of the two clients, and the way to run it."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.sync = mode == "sync"
        self.Client: Any = Client if self.sync else AsyncClient
        self.HTTPClient: Any = httpx.Client if self.sync else httpx.AsyncClient

    def run(self, client: Any, *works: Work) -> list[Any]:
        """The results of each work, one after the other, inside `with` or `async with`."""
        if self.sync:
            with client:
                return [work(client) for work in works]

        async def main() -> list[Any]:
            async with client:
                return [await finished(work(client)) for work in works]

        return anyio.run(main, backend=self.mode)

    def call(self, work: Work, handler: Handler | None = None, **options: Any) -> Any:
        """The result of one work on a client of its own; `handler` answers in the place of a server."""
        return self.calls(work, handler=handler, **options)[0]

    def calls(self, *works: Work, handler: Handler | None = None, **options: Any) -> list[Any]:
        if handler is not None:
            options["http_client"] = self.http(handler)
        options = {"token": KEY, "base_url": ADDRESS, **options}
        return self.run(self.Client(**options), *works)

    def http(self, handler: Handler) -> Any:
        return self.HTTPClient(transport=httpx.MockTransport(handler))

    def close(self, http: Any) -> None:
        if self.sync:
            http.close()
        else:
            anyio.run(http.aclose, backend=self.mode)


async def finished(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


class Recorder:
    """Answers every request with the same, and keeps the requests."""

    def __init__(self, answer: Any = None, status: int = 200, **options: Any) -> None:
        self.requests: list[httpx.Request] = []
        self._make = lambda: httpx.Response(status, json=CREATED if answer is None else answer, **options)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._make()

    @property
    def request(self) -> httpx.Request:
        [request] = self.requests
        return request

    @property
    def body(self) -> Any:
        return json.loads(self.request.content)


def create(client: Any, **more: Any) -> Any:
    """The call that most tests make; it charges credits."""
    return client.v1.ai_image_generator.create(**{"image_count": 1, "style": {"prompt": "A red fox"}, **more})


def get(client: Any, id: str = "cuid-1", **more: Any) -> Any:
    return client.v1.image_projects.get(id, **more)


# --- servers on raw sockets ---------------------------------------------------------------------------------------

Serve = Callable[[socket.socket, Event], None]
"""Deals with one connection. The event is set when the test is over: wait on it instead of sleeping."""


class Server:
    """A listening socket whose connections are dealt with by a function, each in a thread."""

    def __init__(self, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._tls = tls
        self._over = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [Thread(target=self._accept)]
        self.accepted = 0
        self._threads[0].start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._over.is_set():
                connection.close()
                return
            self.accepted += 1
            thread = Thread(target=self._deal, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _deal(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls is None:
                self._serve(connection, self._over)
            else:
                with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                    self._serve(wrapped, self._over)

    def close(self) -> None:
        self._over.set()
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join(60)
        self._listener.close()


@contextmanager
def server(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    running = Server(serve, tls)
    try:
        yield running
    finally:
        running.close()


def read_request(connection: socket.socket) -> bytes:
    """A whole request, or what came of it before the other side closed."""
    content = b""
    while b"\r\n\r\n" not in content:
        if not (chunk := connection.recv(65536)):
            return content
        content += chunk
    head, _, body = content.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length and (chunk := connection.recv(65536)):
        body += chunk
    return head + b"\r\n\r\n" + body


def answered(answer: Any, status: str = "200 OK", headers: str = "") -> bytes:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(content)}\r\n{headers}\r\n".encode() + content


def polite(connection: socket.socket, over: Event) -> None:
    """Answers every request of a connection, and keeps it open."""
    while (request := read_request(connection)) and not over.is_set():
        connection.sendall(answered(CREATED if request.startswith(b"POST") else PROJECT))
