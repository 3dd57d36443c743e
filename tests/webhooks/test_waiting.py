"""Waiting by webhook: an event ends the wait, rare polls find what is lost, an event finds a submission by its name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import FakeBackend, call, created, lost, project
from magic_hour_client.endpoints import endpoint
from magic_hour_workflows import AsyncClient, Client, errors
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.events import SETTLE_SECONDS, is_unique
from magic_hour_workflows._flows.generate import OutputOptions, check_result, generate, job_name
from magic_hour_workflows._flows.wait import wait
from magic_hour_workflows._results import Job
from magic_hour_workflows.events import Created, Event, SubmissionLost
from magic_hour_workflows.webhooks import Inbox, sign
from webhook_events import LIMIT, SECRET, event_body
from worlds import World

GET = "v1.image_projects.get"
CREATE = "v1.ai_image_generator.create"
JOB = Job("image", "job-1", 5, "my job")
BODY = {"image_count": 1, "style": {"prompt": "a"}}
SILENT = OutputOptions(download_outputs=False)


def deliver(inbox: Inbox, type: str = "image.completed", id: str = "job-1", **payload: Any) -> None:
    body = event_body(type, id, **payload)
    inbox.receive(body, sign(body, SECRET))


def waiting(done: float, *, random: float = 0.0) -> FakeBackend:
    """A job that ends `done` seconds after now."""
    backend = FakeBackend(random=random)
    end = backend.clock + done
    return backend.script(GET, lambda operation: project("complete" if backend.clock >= end else "rendering"))


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("delivered", [0.5, 7.0, 60.0, 900.0, 1795.0])
def test_the_wait_ends_with_the_event(delivered: float, new: bool, random: float) -> None:
    """docs/webhooks.md: at once, with at most 8 polls in half an hour."""
    backend, inbox = waiting(delivered, random=random), Inbox(SECRET)
    backend.later = [
        (backend.clock + delivered / 2, lambda: deliver(inbox, "image.started")),
        (backend.clock + delivered / 2, lambda: deliver(inbox, "image.completed", "job-2")),
        (backend.clock + delivered, lambda: deliver(inbox)),
    ]
    began = backend.clock
    assert run_sync(wait(call(backend, inbox=inbox), JOB, new=new)).status == "complete"
    assert backend.clock == began + delivered
    assert len(backend.sent) <= 8


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("new", [True, False])
def test_without_an_event_a_few_polls_find_the_end_or_the_cancellation(new: bool, random: float) -> None:
    backend = waiting(1e6, random=random)
    with pytest.raises(errors.JobTimeout):
        run_sync(wait(call(backend, inbox=Inbox(SECRET)), JOB, new=new))
    assert len(backend.sent) <= 8
    assert 2798.9 <= backend.clock <= 2800
    assert max(backend.sleeps) <= 600
    canceled = FakeBackend(random=random).script(GET, project("canceled"))
    with pytest.raises(errors.JobCanceled):
        run_sync(wait(call(canceled, inbox=Inbox(SECRET)), JOB, new=new))
    assert canceled.sleeps == ([] if not new else [30.0 * (1 - 0.1 * random)])


def test_an_event_from_before_the_wait_ends_it_too() -> None:
    backend, inbox = waiting(0), Inbox(SECRET)
    deliver(inbox)
    began = backend.clock
    run_sync(wait(call(backend, inbox=inbox), JOB, new=True))
    assert (backend.clock, len(backend.sent)) == (began, 1)


def test_the_service_has_the_last_word() -> None:
    """If it does not know of the end yet, it is asked as often as without events. A failure stays one."""
    backend, inbox = waiting(12), Inbox(SECRET)
    backend.later = [(backend.clock + 10, lambda: deliver(inbox))]
    run_sync(wait(call(backend, inbox=inbox), JOB, new=True))
    assert backend.sleeps[1:] == [1.0, 1.0]
    failed, again = FakeBackend().script(GET, project("error")), Inbox(SECRET)
    failed.later = [(failed.clock + 10, lambda: deliver(again))]
    with pytest.raises(errors.JobFailed):
        run_sync(wait(call(failed, inbox=again), JOB, new=True))


def test_an_interval_that_the_caller_chose_is_kept() -> None:
    backend = waiting(10)
    run_sync(wait(call(backend, poll_interval=2.5, inbox=Inbox(SECRET)), JOB))
    assert backend.sleeps == [2.5] * 4


def test_a_task_has_no_events_and_is_polled_as_before() -> None:
    backend = FakeBackend().script("v1.face_detection.get", project("complete"))
    run_sync(wait(call(backend, inbox=Inbox(SECRET)), Job("face_detection", "job-1"), new=True))
    assert backend.sleeps == [1.0]


def test_by_id_it_is_the_same() -> None:
    backend, inbox = waiting(100), Inbox(SECRET)
    backend.later = [(backend.clock + 100, lambda: deliver(inbox))]
    result = run_sync(check_result(call(backend, inbox=inbox), "image", "job-1", SILENT))
    assert (result.status, len(backend.sent)) == ("complete", 4)
    assert not inbox._watches._by_id


def submitted(
    *later: tuple[float, Callable[[Inbox, str], None]], name: str | None = None, timeout: float = 1800.0
) -> tuple[FakeBackend, list[Event], Any]:
    """A job whose create gets no answer; `later` happens so many seconds after it, with the name of the job."""
    backend, inbox, events = FakeBackend().script(GET, project()), Inbox(SECRET), list[Event]()
    backend.script(CREATE, lost())

    def happening(act: Callable[[Inbox, str], None]) -> Callable[[], None]:
        return lambda: act(inbox, backend.sent[0].body["name"])

    backend.later = [(backend.clock + seconds, happening(act)) for seconds, act in later]
    parameters = BODY | ({} if name is None else {"name": name})
    this = call(backend, timeout, inbox=inbox, on_progress=events.append)
    try:
        outcome = run_sync(generate(this, endpoint(CREATE), parameters, SILENT))
    except errors.MagicHourError as error:
        outcome = error
    assert not inbox._watches._by_name
    return backend, events, outcome


@pytest.mark.parametrize("type", ["image.started", "image.completed"])
def test_a_lost_submission_is_settled_by_the_event_with_its_name(type: str) -> None:
    backend, events, result = submitted(
        (20, lambda inbox, name: deliver(inbox, type, "other", name="another name")),
        (30, lambda inbox, name: deliver(inbox, type, name=name, credits_charged=7)),
        (90, lambda inbox, name: deliver(inbox, "image.completed", name=name)),
    )
    assert (result.id, result.status) == ("job-1", "complete")
    assert backend.names() == [CREATE, GET], "it is never sent again"
    kinds = [type_of for type_of in map(type_name, events) if type_of in ("SubmissionLost", "Created")]
    assert kinds == ["SubmissionLost", "Created"]
    [found] = [event for event in events if isinstance(event, Created)]
    assert (found.id, found.credits_charged) == ("job-1", 7)


def type_name(event: Event) -> str:
    return type(event).__name__


def test_without_an_event_the_outcome_stays_unknown_after_six_minutes() -> None:
    backend, events, error = submitted()
    assert isinstance(error, errors.SubmissionUnknown)
    assert backend.names() == [CREATE]
    assert backend.clock == 1000 + SETTLE_SECONDS
    assert isinstance(events[-1], SubmissionLost)
    backend, _, error = submitted(timeout=100)
    assert isinstance(error, errors.SubmissionUnknown)
    assert backend.clock < 1100


def test_a_name_that_a_caller_chose_proves_nothing() -> None:
    """Another job may have it; taking that one's id would lose the job that was paid for."""
    backend, _, error = submitted((30, lambda inbox, name: deliver(inbox, name=name)), name="portrait")
    assert isinstance(error, errors.SubmissionUnknown)
    assert backend.sleeps == []


def test_an_event_of_another_kind_or_without_an_id_proves_nothing() -> None:
    for type, id in (("video.started", "job-1"), ("image.started", "")):
        _, _, error = submitted((30, lambda inbox, name, type=type, id=id: deliver(inbox, type, id, name=name)))  # type: ignore[misc]
        assert isinstance(error, errors.SubmissionUnknown)


def test_names_made_here_are_recognized() -> None:
    for each in ("v1.ai_image_generator.create", "v1.face_swap.create"):
        assert is_unique(job_name(FakeBackend(random=0.3), endpoint(each)))
    assert not any(
        map(is_unique, (None, 3, "", "portrait", "fox 2026-11-20T12:00:00Z", "a b 2026-11-20T12:00:00Z 4ccccccc"))
    )


def test_an_interrupted_search_names_the_submission() -> None:
    backend, inbox = FakeBackend().script(CREATE, lost()), Inbox(SECRET)

    def interrupt() -> None:
        raise KeyboardInterrupt

    backend.later = [(backend.clock + 10, interrupt)]
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(generate(call(backend, inbox=inbox), endpoint(CREATE), BODY, SILENT))
    assert caught.value.submission_unknown.name == backend.sent[0].body["name"]  # type: ignore[attr-defined]


def test_a_sleep_is_woken_from_another_thread(world: World) -> None:
    """In each world, long before its time; and a signal that is set already needs no waking."""
    inbox = Inbox(SECRET)

    async def scenario(backend: Any) -> None:
        for _ in range(2):  # the second time, the event has come before
            with inbox.watch(id="job-1") as watch:
                sender = threading.Timer(0.05, deliver, [inbox])
                sender.start()
                await backend.sleep(10 * LIMIT, watch.signal)
                assert watch.signal.is_set()
                sender.join(LIMIT)
        with inbox.watch(id="job-2") as watch:
            await backend.sleep(0.01, watch.signal)
            assert not watch.signal.is_set()
        watch.notify()  # nobody waits any more
        deliver(inbox, id="job-2")

    world.with_backend(scenario)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_inbox_is_an_inbox(kind: type) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        kind(token="x", inbox=SimpleNamespace(watch=None))
    assert caught.value.field == "inbox"
    assert kind(token="x", inbox=(inbox := Inbox(SECRET))).runner.begin().inbox is inbox
    assert created().id
