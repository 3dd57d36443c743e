"""A record of every request to either origin, so that tests can check what really went over the wire.

Rule: it contains no secrets. Authorization is recorded as absent, right or wrong, and query strings, which contain
signatures, are left out.
"""

import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._clock import Clock

__all__ = ["RecordedRequest", "Recorder"]

_ENTRY: Final = "magic_hour_emulator.request"


@dataclass
class RecordedRequest:
    """One request and how it was answered.

    `status` is None until a response begins. `received` and `sent` count the bytes of the two bodies. `fault` is the
    kind of fault that hit the request; bytes that a network fault withheld from the client count as sent.
    """

    origin: str
    method: str
    path: str
    headers: dict[str, str]
    authorization: str
    at: float
    status: int | None = None
    received: int = 0
    sent: int = 0
    fault: str | None = None


@dataclass
class Recorder:
    """The requests so far, oldest first. The emulator's own controls are not recorded."""

    clock: Clock
    token: str
    _requests: list[RecordedRequest] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> RecordedRequest:
        return self._requests[index]

    def find(
        self, *, origin: str | None = None, method: str | None = None, path: str | None = None
    ) -> list[RecordedRequest]:
        """The requests with this origin ("api" or "storage"), method and path; None matches all."""
        return [
            request
            for request in self
            if origin in (None, request.origin) and method in (None, request.method) and path in (None, request.path)
        ]

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._requests.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Everything, as `GET /_emulator/requests` returns it."""
        return [asdict(request) for request in self]

    def note(self, scope: Scope, fault: str) -> None:
        """Record which fault hits a request."""
        scope[_ENTRY].fault = fault

    def wrap(self, app: ASGIApp, origin: str) -> ASGIApp:
        """`app` with its requests recorded as requests to `origin`."""

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"].startswith("/_emulator/"):
                return await app(scope, receive, send)
            entry = scope[_ENTRY] = self._enter(scope, origin)

            async def counted_receive() -> Message:
                message = await receive()
                entry.received += len(message.get("body", b""))
                return message

            async def counted_send(message: Message) -> None:
                entry.status = message.get("status", entry.status)
                entry.sent += len(message.get("body", b""))
                await send(message)

            await app(scope, counted_receive, counted_send)

        return recorded

    def _enter(self, scope: Scope, origin: str) -> RecordedRequest:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get("authorization")
        verdict = "absent" if given is None else "right" if given == f"Bearer {self.token}" else "wrong"
        if given is not None:
            headers["authorization"] = f"<{verdict}>"
        entry = RecordedRequest(origin, scope["method"], scope["path"], headers, verdict, self.clock.now())
        with self._lock:
            self._requests.append(entry)
        return entry
