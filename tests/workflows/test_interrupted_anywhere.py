"""Ctrl-C at any line of a paid call: what is known of its job is carried, and nothing is left for the next call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import httpx
import pytest

from magic_hour_workflows import AsyncClient, Client
from magic_hour_workflows._job_log.entries import Entry, State, line_of
from magic_hour_workflows._job_log.owners import owner
from magic_hour_workflows._job_log.store import FileStore, read

JOB = {"image_count": 1, "style": {"prompt": "a"}}
OURS = ("/magic_hour_client/", "/magic_hour_workflows/")
OPTIONS: dict[str, Any] = {"token": "mhk-key", "base_url": "https://api.example"}


ENTRY = Entry(
    token="1",
    service="https://api.example",
    operation="v1.x.create",
    kind="image",
    name="fox",
    at=datetime(2026, 11, 20, tzinfo=UTC),
    owner=owner(),
    estimate=20,
    state=State.SUBMITTING,
)


class Service:
    """Accepts jobs, which are complete at once; or Ctrl-C comes while the answer to a create is waited for."""

    def __init__(self, *, interrupts: bool = False) -> None:
        self.accepted = 0
        self.interrupts = interrupts

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.accepted += 1
            if self.interrupts:
                raise KeyboardInterrupt
            return httpx.Response(200, json={"id": "job-1", "credits_charged": 5})
        return httpx.Response(200, json={"id": "job-1", "status": "complete", "downloads": []})


@contextmanager
def interrupted(at: int, begin: str = "submit") -> Iterator[list[int]]:
    """Ctrl-C at the line of ours that comes as number `at` after `begin` was called, until a second number is added.

    Gives how many lines there were.
    """
    lines = [-1]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in OURS):
            return None
        if lines[0] < 0 and frame.f_code.co_name == begin:
            lines[0] = 0
        if event == "line" and lines[0] >= 0 and len(lines) == 1:
            lines[0] += 1
            if lines[0] == at:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


def judge(service: Service, error: BaseException | None, at: int) -> str:
    """What the caller knows, compared with what the service has done."""
    # Where the second Ctrl-C comes while the end of the call attaches what is known, the first one has it.
    links = [error, error.__context__] if error is not None and service.interrupts else [error]
    id = next((id for link in links if (id := getattr(link, "project_id", None))), None)
    unknown = next((lost for link in links if (lost := getattr(link, "submission_unknown", None))), None)
    assert service.accepted <= 1, "sent twice"
    if error is None:
        return "result"
    if service.accepted:
        assert id == "job-1" or unknown is not None, f"line {at}: the job is lost"
    else:
        assert id is None, f"line {at}: an id from nowhere"
    return "id" if id else "unknown" if unknown else "not sent"


def blocking(
    use: Callable[[Any], Any], at: int, *, interrupts: bool = False, job_log: Path | None = None
) -> tuple[str, int]:
    service = Service(interrupts=interrupts)
    caught: BaseException | None = None
    http = httpx.Client(transport=httpx.MockTransport(service))
    with http, Client(http_client=http, job_log=job_log, **OPTIONS) as client:
        with interrupted(at) as lines:
            try:
                use(client)
            except KeyboardInterrupt as error:
                caught = error
        assert client.v1.image_projects.get("job-1").status == "complete", "the next call of this thread"
    return judge(service, caught, at), lines[0]


def awaiting(backend: str) -> Callable[[Callable[[Any], Any], int], tuple[str, int]]:
    def play(use: Callable[[Any], Any], at: int) -> tuple[str, int]:
        service = Service()
        caught: list[BaseException] = []

        async def main(lines: list[int]) -> None:
            http = httpx.AsyncClient(transport=httpx.MockTransport(service))
            async with http, AsyncClient(http_client=http, **OPTIONS) as client:
                try:
                    await use(client)
                except BaseException as error:
                    caught.append(error)
                    raise
                finally:
                    lines.append(0)

        with interrupted(at) as lines:
            try:
                anyio.run(main, lines, backend=backend)
            except (KeyboardInterrupt, BaseExceptionGroup):
                assert caught, "interrupted outside of the call"
            except RuntimeError:  # trio itself breaks where a `with` of one of its scopes is left without its end
                assert backend == "trio"
        return judge(service, caught[0] if caught else None, at), lines[0]

    return play


USES: dict[str, Callable[[Any], Any]] = {
    "create": lambda client: client.v1.ai_image_generator.create(**JOB),
    "generate": lambda client: client.v1.ai_image_generator.generate(**JOB, wait_for_completion=False),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("mode", "use", "stride"),
    [
        ("sync", "create", 3),
        ("sync", "generate", 1),
        *((mode, use, 5) for mode in ("asyncio", "trio") for use in ("create", "generate")),
    ],
)
def test_at_every_line(mode: str, use: str, stride: int) -> None:
    """Async and `create`, at every so many: the flow is the same, and its lines are those of `generate`."""
    play = blocking if mode == "sync" else awaiting(mode)
    _, lines = play(USES[use], -1)
    assert lines > 100
    known = [play(USES[use], at)[0] for at in range(1, lines + 1, stride)]
    assert {"not sent", "id"} <= set(known) <= {"not sent", "unknown", "id", "result"}


def test_at_every_line_the_job_log_has_the_job(tmp_path: Path) -> None:
    """The id, if the caller got it; otherwise it is not called free of charge if it may have been sent."""
    _, lines = blocking(USES["generate"], -1, job_log=tmp_path / "whole.jsonl")
    states = set()
    for at in range(1, lines + 1, 3):
        path = tmp_path / f"{at}.jsonl"
        known, _ = blocking(USES["generate"], at, job_log=path)
        entries = list(read(path).entries.values())
        assert len(entries) <= 1
        ids = [entry.id for entry in entries]
        assert (ids == ["job-1"]) == (known in ("id", "result")), f"line {at}: {known}, {entries}"
        assert known != "unknown" or entries[0].state in (State.SUBMITTING, State.UNKNOWN), f"line {at}"
        states |= {entry.state for entry in entries}
    assert {State.NOT_CHARGED, State.ACCEPTED} <= states


def test_at_every_line_of_a_change_the_log_stays_usable(tmp_path: Path) -> None:
    """Whatever was interrupted, the lock is free again for the next change of this thread."""

    def change(at: int) -> int:
        store = FileStore(tmp_path / f"{at}.jsonl")
        with suppress(KeyboardInterrupt), interrupted(at, "change") as lines:
            store.change(lambda _: line_of(ENTRY), sync=True)
        store.change(lambda _: line_of(ENTRY), sync=True)
        assert [entry.token for entry in read(store.path).entries.values()] == ["1"]
        return lines[0]

    whole = change(-1)
    assert whole > 30
    for at in range(1, whole + 1):
        change(at)


def test_a_second_time_at_every_line() -> None:
    """The first Ctrl-C came while the answer was waited for; the second one replaces its exception."""

    _, lines = blocking(USES["generate"], -1, interrupts=True)
    known = [blocking(USES["generate"], at, interrupts=True)[0] for at in range(1, lines + 1)]
    assert set(known) == {"not sent", "unknown"}
