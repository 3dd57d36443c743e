"""An `Backend` without an outside world: answers are scripted, time passes only in `sleep`, everything is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs

from magic_hour_client._runtime.endpoints import encoded
from magic_hour_client._runtime.errors import error_from_response
from magic_hour_client._runtime.send_trace import SendTrace
from magic_hour_client.errors import APIError, ConnectionFailed, RequestTimeout
from magic_hour_client.types import Request, Response
from magic_hour_workflows._backend import BeforeSending
from magic_hour_workflows._flows.call import Call
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows._sources import Source
from magic_hour_workflows._streams import read_chunk

Answer = Any
"""A result, an exception to raise, or a function of the operation that gives either."""


class FakeBackend:
    """Scripted per operation name, `put` and `fetch`: a list is used up from the front, its last entry stays."""

    def __init__(self, *, random: float = 0.0, **scripts: Sequence[Answer]) -> None:
        self.clock = 1000.0
        self.randomness = random
        self.scripts: dict[str, list[Answer]] = {
            "v1.files.upload_urls.create": [places],
            **{name: list(answers) for name, answers in scripts.items()},
        }
        self.sent: list[Request[Any]] = []
        self.sent_at: list[float] = []
        self.trace = SendTrace()
        """Of the call that was sent last: what an interruption leaves behind is put there."""
        self.sleeps: list[float] = []
        self.later: list[tuple[float, Callable[[], object]]] = []
        """What happens while something sleeps, and when, in this order."""
        self.puts: list[tuple[str, bytes]] = []
        self.fetched: list[str] = []

    def script(self, name: str, *answers: Answer) -> FakeBackend:
        self.scripts[name] = list(answers)
        return self

    def names(self) -> list[str]:
        return [request.name for request in self.sent]

    def _next(self, name: str, argument: Any) -> Any:
        answers = self.scripts[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer) and not isinstance(answer, type):
            answer = answer(argument)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def send(
        self,
        request: Request[Any],
        deadline: float,
        before_sending: BeforeSending | None = None,
        trace: SendTrace | None = None,
    ) -> Any:
        self.trace = trace = trace or SendTrace()
        trace.before_sending = before_sending
        await trace.arun_hook()
        trace.handed = trace.started = True
        body = encoded(request)
        self.sent.append(attrs.evolve(request, body=None if body is None else json.loads(body)))
        self.sent_at.append(self.clock)
        assert deadline > self.clock, "sent after the deadline"
        trace.result = self._next(request.name, request)
        return trace.result

    async def put(self, url: str, source: Source, deadline: float, on_bytes: Callable[[int, int | None], None]) -> None:
        with source.opened() as file:
            content = b"".join(iter(lambda: read_chunk(file, 1 << 20), b""))
        self.puts.append((url, content))
        if "put" in self.scripts:
            self._next("put", url)
        on_bytes(len(content), len(content))

    async def fetch(
        self, url: str, target: PartialDownload, deadline: float, on_bytes: Callable[[int, int | None], None]
    ) -> Path:
        self.fetched.append(url)
        content = self._next("fetch", url) if "fetch" in self.scripts else b"\0bytes of " + url.encode()
        target.begin(url, 200, {"content-length": str(len(content))})
        target.write(content)
        on_bytes(target.received, target.total)
        return target.finish()

    async def sleep(self, seconds: float, signal: Any = None) -> None:
        assert seconds >= 0
        self.sleeps.append(seconds)
        until = self.clock + seconds
        while self.later and self.later[0][0] <= until and not (signal and signal.is_set()):
            self.clock, happen = self.later.pop(0)
            happen()
        if signal is None or not signal.is_set():
            self.clock = until

    async def map(self, work: Callable[[Any], Coroutine[Any, Any, Any]], items: Sequence[Any]) -> list[Any]:
        return [await work(item) for item in items]

    async def run_in_thread(
        self, function: Callable[[], Any], *, abandon_on_cancel: bool = False, deadline: float | None = None
    ) -> Any:
        return function()

    def now(self) -> float:
        return self.clock

    def utc(self) -> datetime:
        return datetime(2026, 11, 20, 12, 0, tzinfo=UTC) + timedelta(seconds=self.clock - 1000.0)

    def random(self) -> float:
        return self.randomness


def call(backend: FakeBackend, timeout: float = 1800.0, **options: Any) -> Call:
    return Call(backend, timeout, **options)


def places(request: Request[Any]) -> Any:
    """A place for every file asked for."""
    items = [
        SimpleNamespace(
            upload_url=f"https://storage.example/up/{number}?signature=canary",
            file_path=f"api-assets/id/{number}.{item['extension']}",
        )
        for number, item in enumerate(request.body["items"])
    ]
    return SimpleNamespace(items=items)


def created(id: str = "job-1", credits: float | None = 5) -> Any:
    return SimpleNamespace(id=id, credits_charged=credits)


def project(
    status: str | None = "complete",
    outputs: int = 1,
    *,
    credits: float | None = 5,
    error: Any = None,
    id: str | None = "job-1",
) -> Any:
    downloads = [
        SimpleNamespace(url=f"https://storage.example/job-1/{number}/output.png?signature=canary")
        for number in range(outputs if status == "complete" else 0)
    ]
    return SimpleNamespace(id=id, status=status, credits_charged=credits, downloads=downloads, error=error)


def refused(status: int, *, headers: dict[str, str] | None = None, body: bytes = b'{"message": "no"}') -> APIError:
    return error_from_response("op", Response(status, headers or {}, body))


def unsent() -> ConnectionFailed:
    return ConnectionFailed("refused", operation="op", sent=False)


def lost() -> ConnectionFailed:
    return RequestTimeout("no answer", operation="op", sent=True)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
