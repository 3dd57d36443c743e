"""A server that sends one answer to each create, chosen by the job's name, and keeps the ledger.

Rule: it knows how often a create arrived and whether its answer means that the job was accepted, and nothing about the
client.
"""

from __future__ import annotations

import json
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import unquote

from magic_hour_emulator import samples
from servers import LIMIT_SECONDS, Server, read_request

from .answer import Answer, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_PICTURE = samples.portrait().read_bytes()


def name_of(number: int) -> str:
    return f"job-{number:04}"


def plain_id(number: int) -> str:
    return f"cuid-{number:04}"


class Service:
    """Sends the answers, and is an ordinary service otherwise.

    Args:
        answers: by the number in the name of their job.
    """

    def __init__(self, answers: Mapping[int, Answer]) -> None:
        self.arrived: Counter[int] = Counter()
        self.deleted: list[str] = []
        self._answers = answers
        self._over = Event()
        self.server = Server(self._behave, read=read_request)

    @property
    def url(self) -> str:
        return self.server.url

    def close(self) -> None:
        self._over.set()
        self.server.close()

    def _behave(self, connection: socket.socket, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        if not head.startswith(b"POST"):
            connection.sendall(self._other(head))
            return
        number = int(json.loads(body)["name"].removeprefix("job-"))
        self.arrived[number] += 1
        answer = self._answers[number]
        with suppress(OSError):  # a client that has read enough disconnects
            connection.sendall(answer.make(plain_id(number)))
        if answer.ends == "hold":
            connection.settimeout(LIMIT_SECONDS)
            with suppress(OSError):
                connection.recv(1)  # until the client disconnects
        elif answer.ends == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            with suppress(OSError):  # closing with unread bytes would send a reset
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(LIMIT_SECONDS)
                while connection.recv(65536):
                    pass

    def _other(self, head: bytes) -> bytes:
        path = head.split(b" ")[1].decode()
        if path.startswith("/out/"):
            picture = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(_PICTURE)}\r\n"
            return f"{picture}Connection: close\r\n\r\n".encode() + _PICTURE
        id = unquote(path.rpartition("/")[2])
        download = {"url": f"{self.url}/out/a.jpg?signature=abcdef0123", "expires_at": "2099-01-01T00:00:00Z"}
        project = {
            **{"id": id, "name": "x", "status": "complete", "image_count": 1, "type": "AI_IMAGE", "enabled": True},
            **{"created_at": "2026-01-02T03:04:05.678Z", "credits_charged": 5, "total_frame_cost": 5},
            **{"downloads": [download], "error": None},
        }
        return whole(json.dumps(project).encode(), headers="Connection: close\r\n")


@contextmanager
def playing(answers: Sequence[Answer]) -> Iterator[Service]:
    service = Service(dict(enumerate(answers)))
    try:
        yield service
    finally:
        service.close()
