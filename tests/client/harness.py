"""What the client's tests share: the low-level clients in all three worlds, answers, and a polite server.

Rule: nothing here knows the emulator: what a server does wrong is said in the test, down to the socket.
"""

import json
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from magic_hour_client import AsyncClient, Client
from servers import read_request, serving
from worlds import World

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

Work = Callable[[Any], Any]
Handler = Callable[[httpx.Request], httpx.Response]


# httpx leaves its generators to the garbage collector when a body is not read or sent to its end; trio says so.
abandons_body = pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")


class Either(World):
    """A world of the low-level clients; `handler` answers in the place of a server."""

    kinds = (Client, AsyncClient)

    def call(self, use: Work, handler: Handler | None = None, **options: Any) -> Any:
        return self.calls(use, handler=handler, **options)[0]

    def calls(self, *uses: Work, handler: Handler | None = None, **options: Any) -> list[Any]:
        if handler is not None:
            options["http_client"] = self.http(handler)
        return super().calls(*uses, **{"token": KEY, "base_url": ADDRESS, **options})

    def http(self, handler: Handler, **options: Any) -> Any:
        return self.HTTPClient(transport=httpx.MockTransport(handler), **options)


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


server = partial(serving, read=read_request)
"""Its function is called with the connection and a whole request."""


def answered(answer: Any, status: str = "200 OK", headers: str = "") -> bytes:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(content)}\r\n{headers}\r\n".encode() + content


def polite(connection: socket.socket, request: bytes) -> None:
    """Answers every request of a connection, and keeps it open."""
    while request:
        connection.sendall(answered(CREATED if request.startswith(b"POST") else PROJECT))
        request = read_request(connection)
