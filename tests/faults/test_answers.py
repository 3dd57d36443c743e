"""Raw responses to a paid create: some here, all of them in `make answers`. Does the judge notice a lie?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from faults.answers.answer import ID, REFUSED, UNKNOWN, Answer, rich, whole
from faults.answers.catalog import answers
from faults.answers.judge import Heard, disagreements, heard, storable
from faults.answers.ways import asynchronous, batches, blocking, command_line
from magic_hour_client.errors import ServerError
from magic_hour_workflows._results import Job
from magic_hour_workflows._retry import Outcome, outcome

WHOLE = Answer("cut", "not at all", rich, True, ID)
BROKEN = Answer("status", "502", lambda id: whole(b"", status="502 Oh"), True, UNKNOWN)
REFUSING = Answer("status", "400", lambda id: whole(b"", status="400 No"), False, REFUSED)
CUT = Answer("cut", "at once", lambda id: b"", True, UNKNOWN)
HELD = {"name": "job-0000", "id": "cuid-0000", "arrived": 1}


def sample(size: int) -> list[Answer]:
    """An even sample of all answers, without the slow ones."""
    quick = [each for each in answers() if each.ends != "hold" and not each.slowed and "bomb" not in each.what]
    return quick[:: len(quick) // size]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "magic_hour_workflows")


def test_there_are_enough_and_none_twice() -> None:
    assert len(answers()) >= 1300
    assert {each.kind for each in answers()} == {"cut", "framing", "status", "JSON", "encoding"}


@pytest.mark.parametrize("way", [blocking, asynchronous])
def test_callers_and_ledger_agree(way: Callable[[Sequence[Answer]], Any]) -> None:
    report = way(sample(50))
    assert report.answers >= 50
    assert report.broken == []


def test_the_command_line_and_the_ledger_agree() -> None:
    assert command_line(sample(12)).broken == []


def test_the_rows_of_a_batch_and_the_ledger_agree() -> None:
    together = [
        each for each in sample(24) if storable(each.reported) == each.reported and each.what[:3] not in ("401", "402")
    ]
    assert batches(together).broken == []


# --- the judge notices a lie --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reported", "found"),
    [
        (WHOLE, Heard("id", id="cuid-0001"), "the id 'cuid-0001'"),
        (WHOLE, Heard("unknown", name="job-0000"), "reported unknown"),
        (WHOLE, Heard("id", id="cuid-0000", credits=-1), "credits -1"),
        (WHOLE, Heard("id", id="cuid-0000", credits=float("nan")), "credits nan"),
        (WHOLE, heard(ValueError("raw")), "reported None"),
        (BROKEN, heard(ServerError("x", operation="x", status=502)), "an accepted job is called refused"),
        (BROKEN, Heard("unknown", name=None), "an unknown submission named None"),
        (BROKEN, Heard("unknown", name="job-0000", shown="\x1b[31m"), "a terminal obeys"),
        (BROKEN, Heard("unknown", name="job-0000", shown="Bearer mhk_answers_0123456789"), "the key"),
        (REFUSING, Heard("id", id="cuid-0000"), "not accepted"),
    ],
)
def test_the_judge_sees(answer: Answer, reported: Heard, found: str) -> None:
    assert found in " ".join(disagreements(answer, reported, **HELD))


def test_the_judge_sees_a_second_create() -> None:
    reported = Heard("id", id="cuid-0000")
    assert list(disagreements(WHOLE, reported, **HELD)) == []
    assert "arrived 2 times" in " ".join(disagreements(WHOLE, reported, **{**HELD, "arrived": 2}))


@pytest.fixture
def decide(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces a decision of the flow that submits."""
    monkeypatch.setattr("magic_hour_workflows._retry.FIRST_DELAY", 0.01)
    return lambda what, wrong: monkeypatch.setattr(f"magic_hour_workflows._flows.submit.{what}", wrong)


def test_502_taken_for_a_refusal_is_found(decide: Callable[..., None]) -> None:
    decide("outcome", lambda error: Outcome.REFUSED if getattr(error, "status", None) == 502 else outcome(error))
    assert "an accepted job is called refused" in " ".join(blocking([BROKEN]).broken)


def test_a_cut_taken_for_not_sent_is_found(decide: Callable[..., None]) -> None:
    decide("outcome", lambda error: Outcome.NOT_SENT)
    assert "the create arrived 5 times" in " ".join(blocking([CUT]).broken)


def test_an_id_changed_on_its_way_is_found(decide: Callable[..., None]) -> None:
    decide("job_from", lambda operation, created: Job(kind="image", id=created.id[:-1]))
    assert "the id 'cuid-000', where" in " ".join(blocking([WHOLE]).broken)
