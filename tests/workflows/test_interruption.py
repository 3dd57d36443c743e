"""Ctrl-C, cancellation and timeouts of the caller's own: the id of a paid job survives all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from magic_hour_client._runtime import transport
from magic_hour_workflows import AsyncClient
from magic_hour_workflows.events import Created, Event, SubmissionLost

ASYNC = pytest.mark.parametrize("backend", ["asyncio", "trio"])
JOB = {"image_count": 1, "style": {"prompt": "a"}}


class SlowService:
    """Answers creates after a while, and jobs are never done."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.creates = 0
        self.asked = anyio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.creates += 1
            self.asked.set()
            await anyio.sleep(self.seconds)
            return httpx.Response(200, json={"id": "job-1", "credits_charged": 5})
        return httpx.Response(200, json={"id": "job-1", "status": "queued"})


async def interrupted(
    service: SlowService, after: Callable[[SlowService, list[Event]], Any]
) -> tuple[BaseException | None, list[Event]]:
    """What a `generate` raises when it is cancelled once `after` returns."""
    events: list[Event] = []
    caught: list[BaseException] = []

    async def job() -> None:
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(service))
        async with (
            http_client,
            AsyncClient(token="x", base_url="https://api.example", http_client=http_client) as client,
        ):
            try:
                await client.v1.ai_image_generator.generate(**JOB, download_outputs=False, on_progress=events.append)
            except BaseException as error:
                caught.append(error)
                raise

    async with anyio.create_task_group() as group:
        group.start_soon(job)
        await after(service, events)
        group.cancel_scope.cancel()
    return (caught[0] if caught else None), events


async def in_flight(service: SlowService, events: list[Event]) -> None:
    await service.asked.wait()


async def created(service: SlowService, events: list[Event]) -> None:
    while not events:  # noqa: ASYNC110  (the list is filled by plain callbacks)
        await anyio.sleep(0.01)


@ASYNC
def test_cancelled_while_the_create_is_in_flight(backend: str) -> None:
    async def main() -> None:
        service = SlowService(0.2)
        error, events = await interrupted(service, in_flight)
        assert error.project_id == "job-1"
        assert "check_result('job-1')" in error.__notes__[0]
        assert [event.id for event in events if isinstance(event, Created)] == ["job-1"]
        assert service.creates == 1

    anyio.run(main, backend=backend)


@ASYNC
def test_cancelled_and_no_answer_comes(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SHIELD_SECONDS", 0.1)

    async def main() -> None:
        error, events = await interrupted(SlowService(30), in_flight)
        assert error.submission_unknown.operation == "v1.ai_image_generator.create"
        assert "may have been charged" in error.__notes__[0]
        assert [(type(event), event.operation) for event in events] == [
            (SubmissionLost, "v1.ai_image_generator.create")
        ], "the exception may be replaced on its way, the event is not"

    anyio.run(main, backend=backend)


@ASYNC
def test_cancelled_and_then_refused_is_no_unknown_job(backend: str) -> None:
    class Refusing(SlowService):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            await super().__call__(request)
            return httpx.Response(402, json={"code": "insufficient_credits", "message": "no"})

    async def main() -> None:
        error, events = await interrupted(Refusing(0.2), in_flight)
        assert not hasattr(error, "submission_unknown")
        assert events == []

    anyio.run(main, backend=backend)


@ASYNC
def test_cancelled_while_waiting(backend: str) -> None:
    async def main() -> None:
        error, _ = await interrupted(SlowService(0), created)
        assert error.project_id == "job-1"

    anyio.run(main, backend=backend)


def test_a_timeout_of_asyncio_replaces_the_exception_but_not_the_event() -> None:
    async def main() -> list[Event]:
        events: list[Event] = []
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(SlowService(0)))
        async with (
            http_client,
            AsyncClient(token="x", base_url="https://api.example", http_client=http_client) as client,
        ):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await client.v1.ai_image_generator.generate(
                        **JOB, download_outputs=False, on_progress=events.append
                    )
        return events

    assert [event.id for event in asyncio.run(main()) if isinstance(event, Created)] == ["job-1"]
