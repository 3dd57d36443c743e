"""Outcome classes of a paid create: what is sent again, what never is, and what the caller is told."""

from __future__ import annotations

import pytest

from fakes import FakeBackend, call, created, lost, project, refused, unsent
from magic_hour_client.api.v1_image_projects import create_ai_image, get_image_project
from magic_hour_client.errors import (
    ConnectionFailed,
    InvalidArgument,
    PaymentRequired,
    RequestTimeout,
    TooManyRequests,
    UnexpectedResponse,
)
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.call import Call
from magic_hour_workflows._flows.submit import query, send, submit
from magic_hour_workflows._retry import Backoff
from magic_hour_workflows.errors import SubmissionUnknown
from magic_hour_workflows.events import Created, Event, Retrying, SubmissionLost

NAME = "v1.ai_image_generator.create"


def operation():
    return create_ai_image.request(image_count=1, style={"prompt": "a"}, name="my job")


def run(*answers: object, timeout: float = 1800.0, on_progress: object = None) -> tuple[FakeBackend, object]:
    backend = FakeBackend(random=1.0).script(NAME, *answers)
    try:
        answer, _ = run_sync(submit(call(backend, timeout, on_progress=on_progress), operation()))
        return backend, answer
    except Exception as error:  # noqa: BLE001  (looked at by the tests)
        return backend, error


def test_an_accepted_create_is_published_at_once(caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    with caplog.at_level("INFO", "magic_hour_workflows"):
        _, answer = run(created("abc", 7), on_progress=events.append)
    assert answer.id == "abc"
    assert events == [Created(id="abc", kind="image", credits_charged=7, name="my job")]
    assert "id=abc" in caplog.text


def test_not_sent_is_sent_again() -> None:
    backend, answer = run(unsent(), unsent(), created())
    assert answer.id == "job-1"
    assert len(backend.sent) == 3


def test_not_sent_gives_up_soon_while_nothing_is_paid() -> None:
    backend, answer = run(unsent())
    assert isinstance(answer, ConnectionFailed)
    assert len(backend.sent) == 5
    assert backend.clock - 1000 < 60


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 422])
def test_refused_is_final(status: int) -> None:
    backend, answer = run(refused(status), created())
    assert answer.status == status
    assert len(backend.sent) == 1


def test_refused_says_why() -> None:
    _, answer = run(refused(402, body=b'{"code": "insufficient_credits", "message": "No credits left"}'))
    assert isinstance(answer, PaymentRequired)
    assert answer.code == "insufficient_credits"


@pytest.mark.parametrize(
    "error",
    [
        refused(429),
        refused(429, headers={"retry-after": "3"}),
        refused(503, headers={"retry-after": "3"}, body=b""),
        refused(503, body=b'{"code": "unavailable", "message": "overloaded"}'),
    ],
    ids=["429", "429 with Retry-After", "503 with Retry-After", "503 of the API itself"],
)
def test_slowed_is_sent_again_no_earlier_than_asked(error: Exception) -> None:
    events: list[Event] = []
    backend, answer = run(error, created(), on_progress=events.append)
    assert answer.id == "job-1"
    assert backend.sent_at[1] - backend.sent_at[0] >= (error.retry_after or 0)
    assert isinstance(events[0], Retrying)


def test_slowed_for_longer_than_there_is_time_is_raised_at_once() -> None:
    backend, answer = run(refused(429, headers={"retry-after": "3600"}), created(), timeout=60)
    assert isinstance(answer, TooManyRequests)
    assert answer.retry_after == 3600
    assert backend.sleeps == []


UNKNOWN = [
    lost(),
    UnexpectedResponse("HTML", operation="op", status=200),
    *(refused(status) for status in (302, 408, 409, 425, 500, 502, 504, 520)),
    refused(503, body=b"<html>bad gateway</html>"),
    refused(503, body=b'{"message": "Service Unavailable"}'),
]


@pytest.mark.parametrize("error", UNKNOWN, ids=lambda error: f"{type(error).__name__} {getattr(error, 'status', '')}")
def test_unknown_is_never_sent_again(error: Exception) -> None:
    backend, answer = run(error, created())
    assert isinstance(answer, SubmissionUnknown)
    assert len(backend.sent) == 1
    assert (answer.operation, answer.name) == (NAME, "my job")
    assert f"{answer.submitted_at:%Y-%m-%d %H:%M}" == "2026-11-20 12:00"
    assert "my job" in str(answer)
    assert "not sent again" in str(answer)


def test_a_mistake_found_while_sending_is_no_unknown_job() -> None:
    mistake = InvalidArgument("this client is closed")
    backend, answer = run(mistake)
    assert answer is mistake
    assert len(backend.sent) == 1


def test_a_create_is_not_sent_without_time_for_its_answer() -> None:
    """Its answer could come too late, and an accepted job would be an unknown one."""
    backend = FakeBackend().script(NAME, created())
    late = call(backend, 60)
    backend.clock += 56
    with pytest.raises(RequestTimeout, match="too little time is left") as caught:
        run_sync(submit(late, operation()))
    assert (caught.value.operation, caught.value.sent) == (NAME, False)
    assert backend.sent == []


@pytest.mark.parametrize(("timeout", "asked"), [(60, 57), (4, 2.5)])
def test_a_create_is_not_repeated_without_time_for_its_answer(timeout: float, asked: float) -> None:
    """And what is told is why it was refused, at once, not that time ran out."""
    backend, answer = run(refused(429, headers={"retry-after": str(asked)}), created(), timeout=timeout)
    assert isinstance(answer, TooManyRequests)
    assert answer.retry_after == asked
    assert len(backend.sent) == 1
    assert backend.sleeps == []


def test_a_short_timeout_is_enough_for_a_create() -> None:
    _, answer = run(created("abc"), timeout=0.5)
    assert answer.id == "abc"


def test_unknown_after_slowed_is_still_unknown() -> None:
    backend, answer = run(refused(429), lost(), created())
    assert isinstance(answer, SubmissionUnknown)
    assert len(backend.sent) == 2


def test_ctrl_c_during_a_create_carries_that_its_outcome_is_unknown() -> None:
    backend = FakeBackend().script(NAME, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(submit(call(backend), operation()))
    assert isinstance(caught.value.submission_unknown, SubmissionUnknown)
    assert "my job" in "".join(caught.value.__notes__)


def test_a_cancellation_that_still_got_its_reply_carries_the_id() -> None:
    events: list[Event] = []

    def interrupted(_: object) -> KeyboardInterrupt:
        backend.trace.result = created("late")
        return KeyboardInterrupt()

    backend = FakeBackend().script(NAME, interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(submit(call(backend, on_progress=events.append), operation()))
    assert caught.value.project_id == "late"
    assert "late" in caught.value.__notes__[0]
    assert [event.id for event in events] == ["late"]


def test_a_cancellation_before_sending_says_nothing_of_unknown_jobs() -> None:
    def interrupted(_: object) -> KeyboardInterrupt:
        backend.trace.started, backend.trace.traced = False, True
        return KeyboardInterrupt()

    backend = FakeBackend().script(NAME, interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(submit(call(backend), operation()))
    assert not hasattr(caught.value, "submission_unknown")


def test_ctrl_c_in_the_listener_carries_the_id() -> None:
    """It is told once more, because the listener may not have heard it; then never again."""
    events: list[Event] = []

    def interrupt(event: Event) -> None:
        events.append(event)
        raise KeyboardInterrupt

    backend = FakeBackend().script(NAME, created("abc"))
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(send(call(backend, on_progress=interrupt), operation()))
    assert caught.value.project_id == "abc"
    assert len(events) == 2


def test_a_refusal_during_a_cancellation_is_no_unknown_job() -> None:
    cancelled = KeyboardInterrupt()
    cancelled.failure = refused(402)
    backend = FakeBackend().script(NAME, cancelled)
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(submit(call(backend), operation()))
    assert not hasattr(caught.value, "submission_unknown")


def test_a_short_retry_after_does_not_replace_the_backoff() -> None:
    backoff = Backoff(failures=6)
    assert backoff.delay(refused(503, headers={"retry-after": "0"}), random=1.0) == 30.0


class Forbidden(Exception):
    """What a question before the first byte raises."""


@pytest.mark.parametrize("error", [Forbidden(), refused(500), lost(), TimeoutError()])
def test_who_may_not_send_any_more_does_not_send_again(error: Exception) -> None:
    """The right to send is asked for before each attempt; what says no leaves as it is, and nothing is unknown."""
    asked: list[int] = []
    events: list[Event] = []

    async def may_send() -> None:
        asked.append(len(backend.sent))
        if backend.sent:
            raise error

    backend = FakeBackend().script(NAME, refused(429, headers={"retry-after": "75"}), created())
    with pytest.raises(type(error)) as caught:
        run_sync(submit(call(backend, before_sending=may_send, on_progress=events.append), operation()))
    assert caught.value is error
    assert asked == [0, 1]
    assert len(backend.sent) == 1
    assert not hasattr(error, "submission_unknown")
    assert not any(isinstance(event, SubmissionLost) for event in events)


def test_calls_that_cost_nothing_are_not_asked_for_the_right_to_send() -> None:
    async def never() -> None:
        raise AssertionError("asked")

    get = get_image_project.request("job-1")
    backend = FakeBackend().script(get.name, project())
    assert run_sync(query(call(backend, before_sending=never), get)).id == "job-1"


def test_a_bug_in_something_that_may_have_sent_it_leaves_it_unknown() -> None:
    """Typed, because nobody can tell what a program of the caller's did before it failed; not sent again."""
    backend, error = run(ZeroDivisionError("in a transport of the caller's"))
    assert isinstance(error, SubmissionUnknown)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert len(backend.sent) == 1


def test_a_bug_after_the_answer_came_carries_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Call, "emit", broken)
    _, error = run(created("abc"))
    assert isinstance(error, ZeroDivisionError)
    assert error.project_id == "abc"


def test_ctrl_c_after_a_refusal_says_nothing_of_unknown_jobs() -> None:
    """It comes while the next attempt is waited for."""

    class Interrupted(FakeBackend):
        async def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    backend = Interrupted().script(NAME, refused(429))
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(submit(call(backend), operation()))
    assert not hasattr(caught.value, "submission_unknown")
