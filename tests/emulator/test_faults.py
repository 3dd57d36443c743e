"""Faults as values and in the schedule: what is valid, what is refused, which request is hit, and the controls."""

import threading

import httpx
import pytest

from magic_hour_emulator._clock import Clock
from magic_hour_emulator._fault_schedule import FaultSchedule
from magic_hour_emulator.faults import KINDS, STEPS, WEBHOOK, Fault, Target, matrix

CREATE = Target("v1.ai_image_generator.create", "create")
GET = Target("v1.image_projects.get", "get")
DOWNLOAD = Target("download", "download")
OPERATIONS = {"v1.ai_image_generator.create": "create", "v1.ai_image_editor.create": "create", GET.operation: "get"}


@pytest.fixture
def clock():
    return Clock(frozen=True)


@pytest.fixture
def schedule(clock):
    return FaultSchedule(clock, 1, OPERATIONS)


def hits(schedule, target, count):
    """Which of the next requests are hit, counted from 1."""
    return [number for number in range(1, count + 1) if schedule.strike(target)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "explode"}, "no such kind of fault: 'explode'; there are reset, "),
        ({"kind": "reset", "on": "upload"}, "no such operation: 'upload'; there are upload-urls, "),
        ({"kind": "reset", "on": "v1.ai_nothing.create"}, "no such operation"),
        ({"kind": "expired_url", "on": "create"}, "expired_url happens at put, download, not at create"),
        ({"kind": "truncated", "on": "download"}, "truncated happens at upload-urls, create, get, not at download"),
        ({"kind": "unknown_status", "on": "v1.ai_image_editor.create"}, "happens at get, not at v1.ai_image_editor"),
        ({"kind": "rate_limited", "phase": "after"}, "rate_limited happens before .*, not after"),
        ({"kind": "unavailable", "phase": "after"}, "unavailable happens before .*, not after"),
        ({"kind": "truncated", "phase": "before"}, "truncated happens after .*, not before"),
        ({"kind": "reset", "phase": "during"}, "not during"),
        ({"kind": "status", "phase": "after", "status": 402}, "the service sends 402 only before"),
        ({"kind": "status", "phase": "after", "status": 429}, "the service sends 429 only before"),
        ({"kind": "status", "phase": "after", "status": 503}, "the service sends 503 only before"),
        ({"kind": "reset", "phase": "before", "at_byte": 3}, "in phase `before` there is none"),
        ({"kind": "reset", "seconds": 3}, "reset has no seconds; it takes at_byte"),
        ({"kind": "close", "at_byte": 3}, "close has no at_byte; it takes no parameters"),
        ({"kind": "missing_field"}, "missing_field needs field"),
        ({"kind": "missing_field", "field": 3}, "field must be text, not 3"),
        ({"kind": "cut", "at_byte": -1}, "at_byte must be an integer of at least 0, not -1"),
        ({"kind": "cut", "at_byte": None}, "at_byte must be"),
        ({"kind": "cut", "at_byte": 1.5}, "at_byte must be an integer"),
        ({"kind": "drip", "rate": 0}, "rate must be a number greater than 0"),
        ({"kind": "hang", "seconds": -1}, "seconds must be a number from 0 to 86400"),
        ({"kind": "rate_limited", "retry_after": "soon"}, "retry_after must be an integer"),
        ({"kind": "rate_limited", "date": 1}, "date must be true or false"),
        ({"kind": "status", "status": 200}, "status must be from 400 to 599"),
        ({"kind": "job_stuck", "status": "complete"}, "status must be one of draft, queued, rendering"),
        ({"kind": "redirect", "to": "elsewhere"}, "to must be one of same, other"),
        ({"kind": "wrong_length", "difference": 0}, "difference must be an integer other than 0"),
        ({"kind": "reset", "nth": 0}, "nth must be an integer of at least 1"),
        ({"kind": "reset", "nth": True}, "nth must be an integer"),
        ({"kind": "reset", "times": 0}, "times must be an integer of at least 1"),
        ({"kind": "reset", "probability": 0}, "probability must be more than 0"),
        ({"kind": "reset", "probability": 1.5}, "probability must be more than 0"),
    ],
)
def test_what_cannot_be_is_refused(schedule, api, options, message):
    with pytest.raises(ValueError, match=message):
        schedule.add(**{"fault" if name == "kind" else name: value for name, value in options.items()})
    assert schedule.pending == ()
    refused = httpx.post(f"{api.emulator.url}/_emulator/faults", json=options)
    assert (refused.status_code, refused.json()["code"]) == (422, "unprocessable_entity")


def test_defaults(schedule):
    with pytest.raises(TypeError, match="name of a kind"):  # a fault that is made has its options
        schedule.add(Fault("reset"), times=2)
    fault = Fault("status")
    assert (fault.on, fault.phase, fault.nth, fault.times, fault.probability) == ("*", "before", 1, 1, 1.0)
    assert (fault["status"], fault["code"]) == (500, None)
    assert Fault("truncated").phase == "after"
    assert Fault("reset", probability=0.5).times is None
    assert Fault("reset", probability=0.5, times=2).times == 2
    assert Fault("rate_limit").times is None
    assert Fault("reset") == Fault("reset", on="*")
    assert len({Fault("cut", at_byte=1), Fault("cut", at_byte=1), Fault("cut", at_byte=2)}) == 2


def test_once_unless_told_otherwise(schedule):
    schedule.add("reset")
    assert hits(schedule, CREATE, 3) == [1]
    schedule.add("reset", times=2)
    assert hits(schedule, CREATE, 4) == [1, 2]
    schedule.add("reset", nth=2, times=2)
    assert hits(schedule, CREATE, 5) == [2, 3]
    assert schedule.pending == ()
    schedule.add("reset", nth=3, times=None)
    assert hits(schedule, CREATE, 6) == [3, 4, 5, 6]


def test_only_requests_that_match_are_counted(schedule):
    schedule.add("reset", on="get", nth=2)
    assert schedule.strike(GET) is None
    assert schedule.strike(CREATE) is None
    assert schedule.strike(GET) is not None
    schedule.add("reset", on="v1.ai_image_editor.create")
    assert schedule.strike(CREATE) is None
    assert schedule.strike(Target("v1.ai_image_editor.create", "create")) is not None
    schedule.add("expired_url")  # on "*": every step that it applies to
    assert schedule.strike(CREATE) is None
    assert schedule.strike(DOWNLOAD) is not None
    schedule.add("range_ignored")
    assert schedule.strike(DOWNLOAD) is None
    assert schedule.strike(Target("download", "download", ranged=True)) is not None


def test_the_first_of_two_faults_hits_and_both_count(schedule):
    schedule.add("reset", on="create")
    schedule.add("close", nth=2)
    assert [schedule.strike(CREATE).fault.kind for _ in range(2)] == ["reset", "close"]
    schedule.add("reset", on="create")
    schedule.add("close", on="create")
    assert [schedule.strike(CREATE).fault.kind for _ in range(2)] == ["reset", "close"]


def test_faults_of_jobs_are_asked_for_on_their_own(schedule):
    schedule.add("job_error")
    schedule.add("reset")
    assert schedule.strike(CREATE).fault.kind == "reset"
    assert schedule.strike(CREATE, job=True).fault.kind == "job_error"
    assert schedule.strike(CREATE, job=True) is None


def test_a_probability_is_decided_by_its_seed(clock):
    def drawn(seed, plan_seed=1):
        schedule = FaultSchedule(clock, plan_seed, OPERATIONS)
        schedule.add("reset", probability=0.3, seed=seed)
        return hits(schedule, CREATE, 200)

    assert drawn(7) == drawn(7) == drawn(7, plan_seed=2)
    assert drawn(7) != drawn(8)
    assert 35 < len(drawn(7)) < 85
    assert drawn(None, 1) == drawn(None, 1) != drawn(None, 2)


def test_another_fault_does_not_shift_a_probability(schedule, clock):
    alone = FaultSchedule(clock, 1, OPERATIONS)
    for each in (schedule, alone):
        each.add("html", times=3) if each is schedule else None
        each.add("reset", probability=0.3)
    struck = [(hit := schedule.strike(CREATE)) is not None and hit.fault.kind == "reset" for _ in range(50)]
    assert [number for number in hits(alone, CREATE, 50) if number > 3] == [
        number for number, is_reset in enumerate(struck, 1) if is_reset
    ]


def test_a_rate_limit_starts_anew_each_second(schedule, clock):
    schedule.add("rate_limit", per_second=2)
    clock.advance(1 - clock.now() % 1)
    assert hits(schedule, GET, 5) == [3, 4, 5]
    clock.advance(1)
    assert hits(schedule, GET, 3) == [3]


def test_fired_tells_what_happened_and_clear_forgets_what_has_not(schedule):
    fault = schedule.add("reset", on="create", nth=2, times=2)
    for _ in range(2):
        hit = schedule.strike(CREATE)
    assert schedule.fired == ()  # hit, but it has not happened yet
    hit.happened()
    assert [(each.fault, each.operation, each.number) for each in schedule.fired] == [(fault, CREATE.operation, 2)]
    assert schedule.pending == (fault,)
    schedule.clear()
    assert (schedule.pending, len(schedule.fired)) == ((), 1)
    schedule.reset()
    assert schedule.fired == ()


def test_many_threads_get_exactly_the_faults_there_are(schedule):
    schedule.add("reset", times=50)
    struck = []

    def ask():
        struck.extend(schedule.strike(CREATE) is not None for _ in range(100))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(struck) == 50


def test_the_matrix_has_every_kind_in_every_step_and_phase():
    faults = [*matrix(), *matrix([WEBHOOK])]
    assert {(fault.kind, fault.on, fault.phase) for fault in faults} == {
        (kind.name, step, phase) for kind in KINDS.values() for step in kind.steps for phase in kind.phases
    }
    names = [str(fault) for fault in faults]
    assert len(set(names)) == len(names)
    assert {fault.on for fault in matrix(steps=["create"])} == {"create"}
    assert {fault.kind for fault in matrix(kinds=["cut", "reset"])} == {"cut", "reset"}
    assert all(fault.phase == "before" for fault in faults if "retry_after" in fault.parameters)


def test_kinds_are_well_formed():
    for kind in KINDS.values():
        assert kind.steps, kind.name
        assert set(kind.steps) <= {*STEPS, WEBHOOK}
        assert set(kind.variants) <= {"*", *kind.steps}
        assert not kind.summary.endswith(".")


def test_faults_over_http(api, image_body):
    controls = f"{api.emulator.url}/_emulator/faults"
    asked = {"kind": "rate_limited", "on": "v1.ai_image_generator.create", "times": 2, "retry_after": 7}
    added = httpx.post(controls, json=asked)
    assert added.status_code == 201
    assert asked.items() <= added.json().items()
    assert api.http.post("/v1/ai-image-generator", json=image_body).headers["retry-after"] == "7"
    listed = httpx.get(controls).json()
    assert listed["pending"] == [added.json()]
    assert listed["fired"] == [{"fault": added.json(), "operation": "v1.ai_image_generator.create", "number": 1}]
    assert httpx.delete(controls).status_code == 204
    assert httpx.get(controls).json()["pending"] == []
    assert api.http.post("/v1/ai-image-generator", json=image_body).status_code == 200
    assert [request["fault"] for request in httpx.get(f"{api.emulator.url}/_emulator/requests").json()["requests"]] == [
        "rate_limited",
        None,
    ]


@pytest.mark.parametrize("fault", list(matrix(steps=["create", "download"]))[::9], ids=str)
def test_what_a_fault_says_of_itself_makes_it_again(emulator, fault):
    emulator.faults.add(fault)
    described = httpx.get(f"{emulator.url}/_emulator/faults").json()["pending"][0]
    httpx.delete(f"{emulator.url}/_emulator/faults")
    httpx.post(f"{emulator.url}/_emulator/faults", json=described).raise_for_status()
    assert emulator.faults.pending == (fault,)


def test_a_reset_forgets_faults(emulator, api):
    emulator.faults.add("html", times=None)
    api.http.get("/v1/image-projects/x")
    assert len(emulator.faults.fired) == 1
    emulator.reset()
    assert (emulator.faults.pending, emulator.faults.fired) == ((), ())
    assert api.http.get("/v1/image-projects/x").status_code == 404


def test_what_is_held_up_is_released_even_if_clearing_was_quicker(schedule):
    class Held:
        released = 0

        def release(self):
            self.released += 1

    schedule.add("hang", times=2)
    early, late = Held(), Held()
    hit = schedule.strike(CREATE)
    schedule.hold(hit, early)
    schedule.clear()
    schedule.hold(hit, late)
    assert (early.released, late.released) == (1, 1)
