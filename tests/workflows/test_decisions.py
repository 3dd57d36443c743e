"""What mutation testing found nobody watching: one decision a test, on a fake IO.

They are the gaps between the stories of the other files: what is carried along, told or kept in the less usual cases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from fakes import FakeBackend, call, created, lost, project, refused, unsent
from magic_hour_client.api.v1_image_projects import create_ai_image, delete_image_project, get_image_project
from magic_hour_client.errors import ConnectionFailed, NotFound, UnexpectedResponse
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.submit import query, send, submit
from magic_hour_workflows._flows.wait import wait
from magic_hour_workflows._results import Job, number
from magic_hour_workflows._retry import Backoff, may_repeat
from magic_hour_workflows.errors import JobCanceled, JobTimeout, SubmissionUnknown, TransferFailed
from magic_hour_workflows.events import Event, Retrying, StatusChanged, SubmissionLost

CREATE, DELETE, GET = "v1.ai_image_generator.create", "v1.image_projects.delete", "v1.image_projects.get"
JOB = Job("image", "job-1", 5, "my job")


def paid_call():
    return create_ai_image.request(image_count=1, style={"prompt": "a"}, name="my job")


@pytest.mark.parametrize("told", [5, 0, 2.5])
def test_a_number_of_the_services_is_a_number(told: float) -> None:
    assert number(told) == told


@pytest.mark.parametrize("told", [None, "5", "", True, False, {}, [5]], ids=repr)
def test_what_is_no_number_of_the_services_is_none(told: object) -> None:
    """Of True, everybody else would make one credit."""
    assert number(told) is None


@pytest.mark.parametrize(
    "told", [-1, -1e300, float("nan"), float("inf"), -float("inf"), 10**30, 10**400, 1.1e9], ids=repr
)
def test_a_number_that_cannot_be_is_unknown(told: float) -> None:
    """A sum would go negative or endless with it, and a limit on credits would hold nothing any more."""
    assert number(told) is None


def test_nothing_is_never_shown_as_less_than_nothing() -> None:
    assert str(number(-0.0)) == "0.0"


class TestBackoff:
    def test_it_doubles(self) -> None:
        backoff = Backoff()
        assert [backoff.delay(lost(), random=1.0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]

    def test_progress_starts_it_over(self) -> None:
        backoff = Backoff(failures=5)
        backoff.made_progress()
        assert backoff.delay(lost(), random=1.0) == 0.5

    def test_those_who_were_asked_to_wait_come_back_spread_over_half_a_second(self) -> None:
        slowed = refused(429, headers={"retry-after": "10"})
        assert [Backoff().delay(slowed, random) for random in (0.0, 1.0)] == [10.0, 10.5]

    def test_an_error_of_storage_itself_may_pass(self) -> None:
        assert may_repeat(TransferFailed("broken", status=500))


class TestSend:
    @pytest.mark.parametrize(
        ("operation", "answer"), [(paid_call(), created()), (get_image_project.request("job-1"), project())]
    )
    def test_headers_of_the_caller_are_added(self, operation: Any, answer: Any) -> None:
        backend = FakeBackend().script(operation.name, answer)
        operation = attrs.evolve(operation, headers={"accept": "application/json"})
        assert run_sync(send(call(backend), operation, {"x-tag": "mine"})) is answer
        assert backend.sent == [attrs.evolve(operation, headers={"accept": "application/json", "x-tag": "mine"})]

    def test_a_delete_that_finds_nothing_the_second_time_has_done_its_work(self) -> None:
        backend = FakeBackend().script(DELETE, lost(), refused(404))
        assert run_sync(query(call(backend), delete_image_project.request("job-1"))) is None

    def test_a_delete_that_may_have_arrived_once_may_have_done_its_work(self) -> None:
        backend = FakeBackend().script(DELETE, lost(), refused(429), refused(404))
        assert run_sync(query(call(backend), delete_image_project.request("job-1"))) is None

    @pytest.mark.parametrize("failure", [unsent(), refused(429), refused(503, headers={"retry-after": "1"})], ids=repr)
    def test_a_delete_that_was_turned_away_before_has_done_nothing(self, failure: Exception) -> None:
        """Found by `tests/machine`: it was said to be deleted."""
        backend = FakeBackend().script(DELETE, failure, refused(404))
        with pytest.raises(NotFound):
            run_sync(query(call(backend), delete_image_project.request("job-1")))

    def test_a_delete_that_finds_nothing_the_first_time_says_so(self) -> None:
        backend = FakeBackend().script(DELETE, refused(404))
        with pytest.raises(NotFound):
            run_sync(query(call(backend), delete_image_project.request("job-1")))

    def test_anything_else_that_finds_nothing_says_so_every_time(self) -> None:
        backend = FakeBackend().script(GET, lost(), refused(404))
        with pytest.raises(NotFound):
            run_sync(query(call(backend), get_image_project.request("job-1")))

    def test_the_caller_of_a_query_decides_what_is_repeated(self) -> None:
        backend = FakeBackend().script(GET, lost(), project())
        with pytest.raises(ConnectionFailed):
            run_sync(query(call(backend), get_image_project.request("job-1"), again=lambda error: False))
        assert len(backend.sent) == 1


@pytest.mark.parametrize(
    ("flow", "name"),
    [
        (lambda call: query(call, get_image_project.request("job-1")), GET),
        (lambda call: submit(call, paid_call()), CREATE),
        (lambda call: wait(call, JOB), GET),
    ],
    ids=["query", "submit", "wait"],
)
def test_a_repetition_says_of_what(flow: Callable[[Any], Any], name: str) -> None:
    events: list[Event] = []
    backend = FakeBackend().script(name, unsent(), created() if name == CREATE else project())
    run_sync(flow(call(backend, on_progress=events.append)))
    assert [event.step for event in events if isinstance(event, Retrying)] == [name]


class TestSubmit:
    def test_exactly_enough_time_is_enough(self) -> None:
        backend = FakeBackend().script(CREATE, created("abc"))
        late = call(backend, 60)
        backend.clock += 55
        assert run_sync(submit(late, paid_call()))[1].id == "abc"

    def test_an_unknown_outcome_is_told_with_its_reason_everywhere(self, caplog: pytest.LogCaptureFixture) -> None:
        events: list[Event] = []
        backend = FakeBackend().script(CREATE, lost())
        with pytest.raises(SubmissionUnknown) as caught:
            run_sync(submit(call(backend, on_progress=events.append), paid_call()))
        assert caught.value.reason == "no answer"
        assert "may have been charged" in str(caught.value)
        assert caplog.messages == [str(caught.value)]
        assert events == [
            SubmissionLost(operation=CREATE, name="my job", submitted_at=backend.utc(), reason="no answer")
        ]

    def test_the_log_holds_all_it_takes_to_find_the_job(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", "magic_hour_workflows"):
            run_sync(submit(call(FakeBackend().script(CREATE, created("abc", 7))), paid_call()))
        assert caplog.messages == ["image job accepted: id=abc credits=7 name=my job"]

    def test_ctrl_c_between_the_answer_and_its_publication_carries_the_id(self) -> None:
        class Answer:
            credits_charged = 5
            reads = 0

            @property
            def id(self) -> str:
                self.reads += 1
                if self.reads == 1:
                    raise KeyboardInterrupt
                return "abc"

        events: list[Event] = []
        answer = Answer()
        backend = FakeBackend().script(CREATE, lambda operation: answer)
        with pytest.raises(KeyboardInterrupt) as caught:
            run_sync(submit(call(backend, on_progress=events.append), paid_call()))
        assert caught.value.project_id == "abc"
        assert [event.id for event in events] == ["abc"]
        assert not hasattr(caught.value, "submission_unknown")

    def test_a_cancellation_whose_request_got_lost_carries_that_its_outcome_is_unknown(self) -> None:
        cancelled = KeyboardInterrupt()
        cancelled.failure = lost()
        with pytest.raises(KeyboardInterrupt) as caught:
            run_sync(submit(call(FakeBackend().script(CREATE, cancelled)), paid_call()))
        assert caught.value.submission_unknown.reason == "interrupted by KeyboardInterrupt"

    @pytest.mark.parametrize("id", ["", None, 7, {"unexpected": True}], ids=repr)
    def test_an_id_that_cannot_be_one_leaves_it_unknown(self, id: Any) -> None:
        with pytest.raises(SubmissionUnknown) as caught:
            run_sync(submit(call(FakeBackend().script(CREATE, created(id))), paid_call()))
        cause = caught.value.__cause__
        assert isinstance(cause, UnexpectedResponse)
        assert (cause.operation, cause.status) == (CREATE, 200)
        assert "no usable id" in str(cause)

    def test_a_cancellation_whose_answer_has_no_id_carries_that_its_outcome_is_unknown(self) -> None:
        def interrupted(_: object) -> KeyboardInterrupt:
            backend.trace.result = created("")
            return KeyboardInterrupt()

        backend = FakeBackend().script(CREATE, interrupted)
        with pytest.raises(KeyboardInterrupt) as caught:
            run_sync(submit(call(backend), paid_call()))
        assert isinstance(caught.value.submission_unknown, SubmissionUnknown)

    def test_a_call_without_a_body_has_no_name(self) -> None:
        backend = FakeBackend().script(CREATE, created("abc"))
        _, job = run_sync(submit(call(backend), attrs.evolve(paid_call(), body=None)))
        assert (job.id, job.name) == ("abc", None)


class TestWait:
    @pytest.mark.parametrize(("told", "credits"), [(None, 5), (7, 7)])
    def test_a_timeout_tells_the_last_known_credits(self, told: float | None, credits: float) -> None:
        backend = FakeBackend().script(GET, project("queued", credits=told))
        with pytest.raises(JobTimeout) as caught:
            run_sync(wait(call(backend, 60), JOB))
        assert caught.value.credits_charged == credits

    def test_a_cancellation_tells_the_credits(self) -> None:
        backend = FakeBackend().script(GET, project("canceled", credits=7))
        with pytest.raises(JobCanceled) as caught:
            run_sync(wait(call(backend), JOB))
        assert (caught.value.project_id, caught.value.credits_charged) == ("job-1", 7)

    def test_no_status_is_no_change_of_status(self) -> None:
        events: list[Event] = []
        backend = FakeBackend().script(GET, project(None), project("complete"))
        run_sync(wait(call(backend, on_progress=events.append), JOB))
        assert events == [StatusChanged(id="job-1", kind="image", status="complete", elapsed=1.0)]

    def test_a_status_that_is_gone_is_unknown(self) -> None:
        events: list[Any] = []
        backend = FakeBackend().script(GET, project("queued"), project(None), project("complete"))
        run_sync(wait(call(backend, on_progress=events.append), JOB))
        assert [event.status for event in events] == ["queued", "unknown", "complete"]

    def test_a_fixed_interval_holds_before_the_first_look_too(self) -> None:
        backend = FakeBackend().script(GET, project())
        run_sync(wait(call(backend, poll_interval=2.5), JOB, new=True))
        assert backend.sleeps == [2.5]

    def test_a_short_timeout_leaves_a_tenth_for_the_first_look(self) -> None:
        backend = FakeBackend().script(GET, project())
        run_sync(wait(call(backend, 1.0), JOB, new=True))
        assert backend.sleeps == [pytest.approx(0.9)]

    def test_slow_reads_keep_at_most_half_of_the_time_for_the_last_one(self) -> None:
        class Slow(FakeBackend):
            async def send(self, operation: Any, deadline: float) -> Any:
                answer = await super().send(operation, deadline)
                self.clock += 40
                return answer

        backend = Slow().script(GET, project("rendering"), project())
        run_sync(wait(call(backend, 100, poll_interval=30), JOB))
        assert backend.sleeps == [10.0]

    def test_an_answer_about_another_job_says_to_what(self) -> None:
        backend = FakeBackend(random=1.0).script(GET, project(id="job-2"))
        with pytest.raises(JobTimeout) as caught:
            run_sync(wait(call(backend, 60), JOB))
        cause = caught.value.__cause__
        assert isinstance(cause, UnexpectedResponse)
        assert (cause.operation, cause.status) == (GET, 200)


class TestCall:
    def test_a_repetition_is_told_and_logged_in_full(self, caplog: pytest.LogCaptureFixture) -> None:
        events: list[Event] = []
        backend = FakeBackend(random=1.0).script(GET, lost(), lost(), project())
        with caplog.at_level("INFO", "magic_hour_workflows"):
            run_sync(query(call(backend, on_progress=events.append), get_image_project.request("job-1")))
        assert events == [
            Retrying(step=GET, reason="no answer", attempt=1, delay=0.5),
            Retrying(step=GET, reason="no answer", attempt=2, delay=1.0),
        ]
        assert caplog.messages == [
            f"{GET} failed, attempt 2 in 0.5 s: no answer",
            f"{GET} failed, attempt 3 in 1.0 s: no answer",
        ]

    def test_a_listener_that_raises_is_logged_with_what_it_was_told(self, caplog: pytest.LogCaptureFixture) -> None:
        def broken(event: Event) -> None:
            raise ValueError("bug in the caller's code")

        call(FakeBackend(), on_progress=broken).emit(Retrying(step="x", reason="y", attempt=1, delay=0.0))
        assert caplog.messages == ["on_progress raised for Retrying; the call continues"]
        assert caplog.records[0].exc_info is not None

    def test_a_short_call_is_repeated_while_less_than_a_second_is_left(self) -> None:
        backend = FakeBackend(random=1.0).script(GET, lost(), project())
        assert run_sync(query(call(backend, 0.8), get_image_project.request("job-1"))).id == "job-1"
        assert backend.sleeps == [0.5]

    def test_a_short_call_sleeps_until_a_tenth_of_it_is_left(self) -> None:
        backend = FakeBackend()
        assert call(backend, 2.0).room() == pytest.approx(1.8)
        assert call(backend, 60.0).room() == pytest.approx(59.0)
