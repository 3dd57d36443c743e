"""Waiting: how often, how long, and what every status means."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeBackend, call, lost, project, refused
from magic_hour_client.errors import NotFound, TooManyRequests, Unauthorized, UnexpectedResponse
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.download import download
from magic_hour_workflows._flows.generate import OutputOptions, check_result
from magic_hour_workflows._flows.wait import interval, wait
from magic_hour_workflows._results import Job
from magic_hour_workflows.errors import JobFailed, JobTimeout
from magic_hour_workflows.events import Event, StatusChanged

GET = "v1.image_projects.get"
JOB = Job("image", "job-1", 5, "my job")


def job_of(backend: FakeBackend, seconds: float):
    """Answers like a job that is done `seconds` after now."""
    done = backend.clock + seconds
    return lambda operation: project("complete" if backend.clock >= done else "rendering")


@given(st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_interval_is_within_its_bounds(elapsed: float, random: float) -> None:
    longest = min(30.0, max(1.0, 0.15 * elapsed))
    assert 0.9 * longest <= interval(elapsed, random) <= longest


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
@pytest.mark.parametrize(("seconds", "most"), [(2, 4), (10, 12), (60, 26), (1800 - 30, 100)])
def test_schedule(seconds: float, most: int, random: float) -> None:
    """docs/workflows.md, Waiting: seen within max(1 s, min(15 %, 30 s)); 26 polls in 60 s, 100 in 30 minutes."""
    backend = FakeBackend(random=random)
    began = backend.clock
    backend.script(GET, job_of(backend, seconds))
    run_sync(wait(call(backend), JOB, new=True))
    assert len(backend.sent) <= most
    assert backend.clock - began - seconds <= max(1.0, min(0.15 * seconds, 30.0))


def test_a_fixed_interval_is_kept() -> None:
    backend = FakeBackend(random=0.9)
    backend.script(GET, job_of(backend, 10))
    run_sync(wait(call(backend, poll_interval=2.5), JOB))
    assert backend.sleeps == [2.5] * 4


def test_a_new_job_is_not_looked_at_at_once_and_an_old_one_is() -> None:
    new, old = FakeBackend().script(GET, project()), FakeBackend().script(GET, project())
    run_sync(wait(call(new), JOB, new=True))
    run_sync(wait(call(old), JOB))
    assert new.sleeps == [1.0]
    assert old.sleeps == []


def test_no_sleep_after_the_last_look() -> None:
    backend = FakeBackend().script(GET, project("queued"), project("complete"))
    run_sync(wait(call(backend), JOB))
    assert len(backend.sleeps) == 1


def test_status_changes_are_told_once_each() -> None:
    events: list[Event] = []
    states = ["queued", "queued", "rendering", "rendering", "complete"]
    backend = FakeBackend().script(GET, *map(project, states))
    run_sync(wait(call(backend, on_progress=events.append), JOB))
    assert [event.status for event in events if isinstance(event, StatusChanged)] == ["queued", "rendering", "complete"]


@pytest.mark.parametrize("status", ["draft", "queued", "rendering", "upscaling", None])
def test_waiting_ends_at_the_deadline_whatever_the_status(status: str | None) -> None:
    """`draft` and unknown statuses are waited for, but never longer than asked."""
    backend = FakeBackend().script(GET, project(status))
    with pytest.raises(JobTimeout) as caught:
        run_sync(wait(call(backend, 90), JOB))
    assert 1088.9 <= backend.clock <= 1090
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.project_id == "job-1"
    assert caught.value.status == status
    assert "check_result('job-1')" in str(caught.value)


def test_nothing_is_asked_once_the_time_is_up() -> None:
    """The time may have gone into uploading and submitting."""
    backend = FakeBackend().script(GET, project("queued"))
    late = call(backend, 10)
    backend.clock += 20
    with pytest.raises(JobTimeout):
        run_sync(wait(late, JOB))
    assert backend.sent == []


def test_there_is_a_look_shortly_before_the_deadline() -> None:
    """However long the interval is: a job that is done in time is not reported as late."""
    backend = FakeBackend()
    backend.script(GET, job_of(backend, 6.5))
    assert run_sync(wait(call(backend, 8, poll_interval=10), JOB)).status == "complete"
    assert len(backend.sent) == 2


def test_the_last_look_has_time_for_its_answer() -> None:
    """Where looks take long, the last one begins earlier."""

    class Slow(FakeBackend):
        async def send(self, operation, deadline: float):
            answer = await super().send(operation, deadline)
            self.clock += 1.2
            assert self.clock <= deadline, "the answer came too late"
            return answer

    backend = Slow()
    backend.script(GET, job_of(backend, 7))
    assert run_sync(wait(call(backend, 10), JOB)).status == "complete"


def test_a_reason_that_is_only_words_is_told() -> None:
    backend = FakeBackend().script(GET, project("error", error="boom"))
    with pytest.raises(JobFailed, match="boom"):
        run_sync(wait(call(backend), JOB))


def test_error_raises_with_the_reason_and_the_refund() -> None:
    error = SimpleNamespace(code="no_source_face", message="We could not detect a face")
    backend = FakeBackend().script(GET, project("error", credits=0, error=error))
    with pytest.raises(JobFailed) as caught:
        run_sync(wait(call(backend), JOB))
    failed = caught.value
    assert (failed.project_id, failed.code, failed.credits_charged) == ("job-1", "no_source_face", 0)
    assert "We could not detect a face" in str(failed)


def test_error_without_a_reason_is_still_an_error() -> None:
    backend = FakeBackend().script(GET, project("error", credits=None))
    with pytest.raises(JobFailed, match="no reason"):
        run_sync(wait(call(backend), JOB))


def test_the_words_of_the_service_are_shown_without_secrets() -> None:
    error = SimpleNamespace(code=500, message="cannot read https://storage.example/a.png?signature=canary\nat all")
    backend = FakeBackend().script(GET, project("error", error=error))
    with pytest.raises(JobFailed) as caught:
        run_sync(wait(call(backend), JOB))
    assert str(caught.value).endswith("failed: 500: cannot read https://storage.example/a.png?… at all")
    assert "canary" not in repr(vars(caught.value))


def test_a_status_of_the_services_own_is_shown_without_secrets() -> None:
    """Every word of it may be new; none of them may break a line or give a signature away."""
    events: list[Event] = []
    backend = FakeBackend().script(GET, project("see https://storage.example/a.png?signature=canary\x1b[2J\nfor more"))
    with pytest.raises(JobTimeout) as caught:
        run_sync(wait(call(backend, 20, on_progress=events.append), JOB))
    told = "see https://storage.example/a.png?… [2J for more"
    assert [event.status for event in events if isinstance(event, StatusChanged)] == [told]
    assert caught.value.status == told
    assert f"(last status: {told})" in str(caught.value)


@pytest.mark.parametrize("status", [{"unexpected": True}, ["complete"], ""])
def test_a_status_that_is_no_word_is_none(status: object) -> None:
    events: list[Event] = []
    backend = FakeBackend().script(GET, project(status))
    with pytest.raises(JobTimeout, match="last status: not known") as caught:
        run_sync(wait(call(backend, 20, on_progress=events.append), JOB))
    assert (caught.value.status, events) == (None, [])


@pytest.mark.parametrize(
    "error",
    [
        lost(),
        refused(429),
        refused(500),
        refused(502),
        refused(503),
        refused(520),
        refused(408),
        UnexpectedResponse("HTML", operation="op", status=200),
    ],
    ids=lambda error: f"{type(error).__name__} {getattr(error, 'status', '')}",
)
def test_looking_is_repeated_for_as_long_as_there_is_time(error: Exception) -> None:
    """The job is paid for: 40 failures in a row are not a reason to lose it."""
    backend = FakeBackend().script(GET, *[error] * 40, project())
    assert run_sync(wait(call(backend), JOB)).status == "complete"


def test_an_outage_longer_than_the_deadline_is_a_timeout_with_the_id() -> None:
    backend = FakeBackend(random=1.0).script(GET, lost())
    with pytest.raises(JobTimeout) as caught:
        run_sync(wait(call(backend, 60), JOB))
    assert (caught.value.project_id, caught.value.status) == ("job-1", None)
    assert backend.clock <= 1060
    assert len(backend.sent) < 20


def test_an_outage_that_ends_in_time_is_survived() -> None:
    """However far the attempts have come apart, there is one more shortly before the deadline."""
    backend = FakeBackend(random=1.0)
    backend.script(GET, lambda operation: project() if backend.clock >= 1095 else lost())
    assert run_sync(wait(call(backend, 100), JOB)).status == "complete"


def test_retry_after_is_kept_while_looking() -> None:
    backend = FakeBackend().script(GET, refused(429, headers={"retry-after": "25"}), project())
    run_sync(wait(call(backend), JOB))
    assert backend.sent_at[1] - backend.sent_at[0] >= 25


def test_retry_after_beyond_the_deadline_is_raised_with_the_id() -> None:
    backend = FakeBackend().script(GET, refused(429, headers={"retry-after": "3600"}))
    with pytest.raises(TooManyRequests) as caught:
        run_sync(wait(call(backend, 60), JOB))
    assert caught.value.retry_after == 3600
    assert caught.value.project_id == "job-1"
    assert "job-1" in str(caught.value)


def test_a_refused_look_carries_the_id() -> None:
    backend = FakeBackend().script(GET, project("queued"), refused(401))
    with pytest.raises(Unauthorized) as caught:
        run_sync(wait(call(backend), JOB))
    assert caught.value.project_id == "job-1"
    assert "check_result('job-1')" in str(caught.value)


class Interrupted(FakeBackend):
    async def sleep(self, seconds: float) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "flow",
    [
        lambda backend, _: wait(call(backend.script(GET, KeyboardInterrupt())), JOB),
        lambda backend, _: wait(call(backend), JOB),
        lambda backend, _: wait(call(backend), JOB, new=True),
        lambda backend, _: check_result(call(backend), "image", "job-1", OutputOptions(download_outputs=False)),
        lambda backend, folder: download(call(backend), JOB, project(outputs=0), folder),
    ],
    ids=["in a poll", "between polls", "before the first poll", "by its id", "before its outputs are listed"],
)
def test_ctrl_c_carries_the_id(flow: Any, tmp_path: Path) -> None:
    backend = Interrupted().script(GET, project("queued", outputs=0))
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(flow(backend, tmp_path))
    assert caught.value.project_id == "job-1"


def test_a_new_job_may_not_be_found_at_first() -> None:
    backend = FakeBackend().script(GET, refused(404), refused(404), project())
    assert run_sync(wait(call(backend), JOB, new=True)).status == "complete"


def test_a_new_job_that_stays_missing_is_missing() -> None:
    backend = FakeBackend(random=1.0).script(GET, refused(404))
    with pytest.raises(NotFound):
        run_sync(wait(call(backend), JOB, new=True))
    assert backend.clock < 1060


def test_a_late_answer_about_a_new_job_is_as_old_as_the_question() -> None:
    """The job was not there when it was looked for, 1 s after it was accepted; that took 12 s to say."""

    class Slow(FakeBackend):
        async def send(self, operation, deadline: float):
            self.clock += 12
            return await super().send(operation, deadline)

    backend = Slow().script(GET, refused(404), project())
    assert run_sync(wait(call(backend), JOB, new=True)).status == "complete"


def test_an_old_job_that_is_missing_is_missing_at_once() -> None:
    backend = FakeBackend().script(GET, refused(404))
    with pytest.raises(NotFound):
        run_sync(wait(call(backend), JOB))
    assert len(backend.sent) == 1
