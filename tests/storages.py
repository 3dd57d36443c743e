"""A service whose jobs are complete at once, and whose outputs are whatever a test says, to the byte."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from servers import Server, serving


class Answer(NamedTuple):
    """The storage's response for one output: raw headers and body."""

    body: bytes
    headers: Sequence[str] = ()
    status: str = "200 OK"
    has_length: bool = True
    """Whether it has a Content-Length."""


class RawService:
    """Lists `outputs`: each is an answer of its own storage or a raw entry of `downloads`."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []
        self.fresh: list[Any] | None = None
        """The outputs from the second poll on."""
        self.creates = 0
        self.listed = 0
        self.fetched: list[int] = []
        self.server: Server

    @property
    def options(self) -> dict[str, Any]:
        return {"token": "mhk_test_canary", "base_url": self.server.url, "poll_interval": 0.02}

    def behave(self, connection: socket.socket, head: bytes) -> None:
        method, path, *_ = head.decode("latin-1").split(" ")
        if path.startswith("/out/"):
            number = int(path[5:].partition(".")[0].partition("?")[0])
            self.fetched.append(number)
            listed = self.outputs if isinstance(self.outputs[number], Answer) else self.fresh or []
            _send(connection, listed[number])
        elif method == "POST":
            self.creates += 1
            _send(connection, _json({"id": "job-1", "credits_charged": 5}))
        else:
            self.listed += 1
            listed = self.outputs if self.fresh is None or self.listed == 1 else self.fresh
            _send(connection, _json(self._project(listed)))

    def _project(self, listed: list[Any]) -> dict[str, Any]:
        entries = [
            {"url": f"{self.server.url}/out/{number}?X-Signature=canary", "expires_at": "2099-01-01T00:00:00Z"}
            if isinstance(output, Answer)
            else output
            for number, output in enumerate(listed)
        ]
        return {"id": "job-1", "name": "a", "status": "complete", "credits_charged": 5, "downloads": entries}


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), ["Content-Type: application/json"])


def _send(connection: socket.socket, answer: Answer) -> None:
    lines = [f"HTTP/1.1 {answer.status}", *answer.headers, "Connection: close"]
    if answer.has_length:
        lines.append(f"Content-Length: {len(answer.body)}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body)


@contextmanager
def raw_service() -> Iterator[RawService]:
    service = RawService()
    with serving(service.behave) as service.server:
        yield service
