"""A record of every request to either origin, so that tests can check what really went over the wire.

Rule: it shows no secrets. Authorization is recorded as absent, right or wrong; query strings, which contain signatures,
are left out; bodies are shown by `_bodies` only.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._bodies import Body, blank
from ._clock import Clock

__all__ = ["RecordedRequest", "Recorder"]

_ENTRY: Final = "magic_hour_emulator.request"
# The bodies of so many requests are kept, the last ones: with `_bodies`, at most 16 MiB.
_BODIES: Final = 500
_SECRET_HEADERS: Final = frozenset({"cookie", "proxy-authorization", "x-api-key"})


@dataclass
class RecordedRequest:
    """One request and how it was answered.

    `status` is None until a response begins. `received` and `sent` count the bytes of the two bodies. `fault` is the
    kind of fault that hit the request; bytes that a network fault withheld from the client count as sent. `number`
    counts the requests, from 0. `seconds` is how long the response took on the machine's clock, None until it ends.
    `issued` has the id or the file paths that the response gave out.
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
    number: int = 0
    seconds: float | None = None
    issued: list[str] = field(default_factory=list)


@dataclass
class Recorder:
    """The requests so far, oldest first. The emulator's own page and controls are not recorded.

    `on_end` is called with each request when its response has ended, in the thread of its server.
    """

    clock: Clock
    token: str
    on_end: Callable[[RecordedRequest], None] | None = None
    _bodies: "OrderedDict[int, tuple[Body, Body]]" = field(default_factory=OrderedDict)
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
            self._bodies.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Everything, as `GET /_emulator/requests` returns it."""
        return [asdict(request) for request in self]

    def detail(self, number: int) -> dict[str, Any]:
        """A request with its bodies, as `GET /_emulator/requests/{number}` returns it. IndexError if there is none."""
        if number < 0:
            raise IndexError(number)
        asked, answered = self._bodies.get(number, (None, None))
        bodies = {
            "request_body": asked and asked.as_json(self.token),
            "response_body": answered and answered.as_json(self.token),
        }
        return {**asdict(self._requests[number]), **bodies}

    def note_issued(self, scope: Scope, names: Iterable[str]) -> None:
        """Record the id or the file paths that the response to a request gives out."""
        scope[_ENTRY].issued.extend(names)

    def note(self, scope: Scope, fault: str) -> None:
        """Record which fault hits a request."""
        scope[_ENTRY].fault = fault

    def wrap(self, app: ASGIApp, origin: str) -> ASGIApp:
        """`app` with its requests recorded as requests to `origin`."""

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or _is_own(scope, origin):
                return await app(scope, receive, send)
            entry, asked, answered = self._enter(scope, origin)
            scope[_ENTRY] = entry
            began = time.monotonic()

            async def counted_receive() -> Message:
                message = await receive()
                entry.received += len(message.get("body", b""))
                asked.add(message.get("body", b""))
                return message

            async def counted_send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    entry.status = message["status"]
                    answered.media_type = _headers(message).get("content-type", "")
                entry.sent += len(message.get("body", b""))
                answered.add(message.get("body", b""))
                await send(message)

            try:
                await app(scope, counted_receive, counted_send)
            finally:
                entry.seconds = time.monotonic() - began
                if self.on_end:
                    self.on_end(entry)

        return recorded

    def _enter(self, scope: Scope, origin: str) -> tuple[RecordedRequest, Body, Body]:
        headers = _headers(scope)
        given = headers.get("authorization")
        verdict = "absent" if given is None else "right" if given == f"Bearer {self.token}" else "wrong"
        shown = {name: blank(value, self.token) for name, value in headers.items()}
        shown |= dict.fromkeys(_SECRET_HEADERS & shown.keys(), "<blanked>")
        if given is not None:
            shown["authorization"] = f"<{verdict}>"
        entry = RecordedRequest(origin, scope["method"], scope["path"], shown, verdict, self.clock.now())
        bodies = Body(headers.get("content-type", "")), Body()
        with self._lock:
            entry.number = len(self._requests)
            self._requests.append(entry)
            self._bodies[entry.number] = bodies
            if len(self._bodies) > _BODIES:
                self._bodies.popitem(last=False)
        return entry, *bodies


def _headers(message: Scope | Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}


def _is_own(scope: Scope, origin: str) -> bool:
    """Whether a request is for the emulator's page or its controls."""
    path = scope["path"]
    return path.startswith("/_emulator/") or (origin == "api" and path == "/")
