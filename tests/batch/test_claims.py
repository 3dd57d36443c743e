"""The guard by itself: a claim is granted once, and given back only by its holder or by a person."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from batch.local_batch import ROWS
from magic_hour_workflows.batch._claims import Claim
from magic_hour_workflows.batch._connections import connect
from magic_hour_workflows.batch._manifest import planned
from magic_hour_workflows.batch._rows import RowResult, RowStatus
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.batch._tables import paid
from magic_hour_workflows.errors import DatabaseLost


def claim(store: Store, key: str = "a", token: str = "mine", estimate: float = 5) -> Claim:  # noqa: S107
    return store.claims.claim(key, name=f"job {key}", estimate=estimate, token=token, worker="worker")


def accepted(store: Store, key: str, id: str, credits: Any = 5) -> bool:
    return store.claims.accepted(key, id, credits, name=f"job {key}", worker="worker")


def committed(store: Store) -> float:
    return float(store.settings()["committed"])


def doubtful(store: Store, key: str = "a") -> None:
    store.finish(RowResult(key=key, endpoint="ai_image_generator", status=RowStatus.DOUBTFUL, error="?"))


def test_one_of_many_is_granted(any_store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: claim(any_store, token=str(number)), range(40)))
    assert answers.count(Claim.GRANTED) == 1
    assert answers.count(Claim.TAKEN) == 39
    assert committed(any_store) == 5


def test_a_claim_asked_for_again_after_its_answer_was_lost_is_still_granted(any_store: Store) -> None:
    answers = [claim(any_store, token=token) for token in ("mine", "mine", "theirs")]
    assert answers == [Claim.GRANTED, Claim.GRANTED, Claim.TAKEN]
    assert committed(any_store) == 5


def test_claims_of_all_are_spaced_by_the_clock_of_the_database(any_store: Store) -> None:
    any_store.configure(rate=1.0)
    assert [claim(any_store, "a"), claim(any_store, "b")] == [Claim.GRANTED, Claim.TOO_SOON]
    assert 59 < any_store.claims.pause() <= 61
    assert any_store.claims.job_of("b") is None
    assert committed(any_store) == 5
    with any_store.transaction() as connection:
        connection.execute(sa.text("UPDATE batch SET next_submit_at = next_submit_at - 61"))
    assert [claim(any_store, "b"), claim(any_store, "c")] == [Claim.GRANTED, Claim.TOO_SOON]
    any_store.configure(rate=None)
    assert claim(any_store, "c") is Claim.GRANTED


def test_two_processes_are_granted_one(store: Store, tmp_path: Path) -> None:
    other = Store(connect(f"sqlite:///{tmp_path / 'claims'}"))
    assert claim(store) is Claim.GRANTED
    assert claim(other, token="theirs") is Claim.TAKEN
    other.close()


def test_the_budget_is_reserved_before_anything_is_sent(store: Store) -> None:
    store.configure(max_credits=9)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda key: claim(store, key), "abc"))
    assert sorted(answer.value for answer in answers) == ["granted", "over budget", "over budget"]
    assert committed(store) == 5
    store.configure(max_credits=10)
    left = next(key for key, answer in zip("abc", answers, strict=True) if answer is Claim.OVER_BUDGET)
    assert claim(store, left) is Claim.GRANTED  # being too expensive took nothing


def test_only_who_has_it_gives_it_back(store: Store) -> None:
    claim(store)
    store.claims.release("a", "theirs")
    assert claim(store, token="theirs") is Claim.TAKEN
    store.claims.release("a", "mine")
    assert committed(store) == 0
    assert claim(store, token="theirs") is Claim.GRANTED


def test_once_there_is_a_job_it_is_not_given_back(store: Store) -> None:
    claim(store)
    assert accepted(store, "a", "id-1", 7)
    store.claims.release("a", "mine")
    found = store.claims.job_of("a")
    assert found is not None
    assert (found.project_id, found.name, found.worker) == ("id-1", "job a", "worker")
    assert committed(store) == 7


def test_an_id_is_never_refused(store: Store) -> None:
    """Whoever has the claim: the row that has no job takes it, and what else arrives is a stray that counts."""
    claim(store)
    assert accepted(store, "a", "id-1", 7)
    assert accepted(store, "a", "id-1", 7)  # said again
    assert not accepted(store, "a", "id-2", 6)
    assert not accepted(store, "a", "id-2", 6)
    assert accepted(store, "b", "id-3")  # its claim was given back meanwhile
    assert not accepted(store, "gone", "id-4", None)
    assert [(one.key, one.id, one.credits) for one in store.summary().strays] == [
        ("a", "id-2", 6),
        ("gone", "id-4", None),
    ]
    assert committed(store) == 7 + 6 + 5
    assert claim(store, "b", "again") is Claim.TAKEN


def test_a_late_id_of_a_row_that_had_ended_lets_it_go_on(store: Store) -> None:
    store.finish(RowResult(key="a", endpoint="ai_image_generator", status=RowStatus.FAILED, error="refused"))
    assert accepted(store, "a", "id-1")
    assert store.claims.settled() == ["a"]


@pytest.mark.parametrize("strange", [float("nan"), float("inf"), -1e300, 10**30, "7", True, None])
def test_credits_that_are_no_number_count_as_estimated(store: Store, strange: Any) -> None:
    store.configure(max_credits=9)
    claim(store)
    assert accepted(store, "a", "id-1", strange)
    store.finish(RowResult(key="a", endpoint="ai_image_generator", status=RowStatus.SAVED, id="id-1", credits=strange))
    assert committed(store) == 5
    assert claim(store, "b") is Claim.OVER_BUDGET
    assert not accepted(store, "a", "id-2", strange)
    assert committed(store) == 10


def test_a_person_settles_what_is_in_doubt_and_nothing_else(store: Store) -> None:
    claim(store)
    assert store.claims.close("a", "person") is None  # it is being submitted
    assert not store.claims.set_project_id("a", "id-9")
    assert store.claims.close("b", "person") is None  # it was never submitted
    doubtful(store)
    assert store.claims.settled() == []
    assert store.claims.close("a", "person") is not None
    assert not store.claims.give_back("a", "another person")
    assert store.claims.give_back("a", "person")
    assert store.claims.settled() == ["a"]
    assert committed(store) == 0


def test_a_row_that_was_closed_is_its_holders_no_more(store: Store) -> None:
    claim(store)
    assert store.claims.renew("a", "mine")
    assert not store.claims.renew("a", "theirs")
    doubtful(store)
    store.claims.close("a", "person")
    assert not store.claims.renew("a", "mine")
    assert not store.claims.renew("a", "person")
    store.claims.release("a", "mine")
    assert claim(store, token="theirs") is Claim.TAKEN


def test_an_id_that_arrives_while_it_is_settled_wins(store: Store) -> None:
    claim(store)
    doubtful(store)
    store.claims.close("a", "person")
    assert accepted(store, "a", "id-1")
    assert not store.claims.renew("a", "mine")
    assert not store.claims.give_back("a", "person")
    assert store.claims.settled() == ["a"]


def test_a_person_gives_the_id(store: Store) -> None:
    claim(store)
    doubtful(store)
    assert store.claims.set_project_id("a", "id-1")
    assert store.claims.settled() == ["a"]
    assert committed(store) == 5
    assert store.claims.close("a", "person") is None


def test_a_rate_does_not_wait_for_a_clock_that_was_ahead(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.configure(rate=60.0)
    with store.transaction() as connection:
        connection.execute(sa.text("UPDATE batch SET next_submit_at = (julianday('now') - 2440587.5) * 86400 + 86400"))
    assert store.claims.pause() == 0
    assert claim(store) is Claim.GRANTED
    assert "86400 s" in caplog.text
    assert 0 < store.claims.pause() <= 61 / 60
    assert claim(store, "b") is Claim.TOO_SOON


def test_only_failed_jobs_are_forgotten(store: Store) -> None:
    claim(store, "a")
    accepted(store, "a", "id-1")
    claim(store, "b")
    store.claims.forget_jobs(["a", "b"])
    assert claim(store, "a", "again") is Claim.TAKEN
    for key in "ab":
        store.finish(RowResult(key=key, endpoint="ai_image_generator", status=RowStatus.FAILED))
    store.claims.forget_jobs(["a", "b"])
    assert claim(store, "a", "again") is Claim.GRANTED
    assert claim(store, "b", "again") is Claim.TAKEN  # nobody knows of a job that could have failed


def test_a_row_ends_once(store: Store) -> None:
    claim(store)
    doubtful(store)
    store.finish(RowResult(key="a", endpoint="ai_image_generator", status=RowStatus.FAILED))
    assert store.result("a").status is RowStatus.DOUBTFUL


def test_a_claim_outlives_a_power_cut(store: Store) -> None:
    """What SQLite was told when the claim was committed; NORMAL would leave it in the cache of the system."""
    told: list[int] = []

    @sa.event.listens_for(store.engine, "commit")
    def look(connection: sa.Connection) -> None:
        told.append(connection.connection.driver_connection.execute("PRAGMA synchronous").fetchone()[0])

    full = 2
    claim(store)
    assert told == [full]
    accepted(store, "a", "id-1")
    assert told == [full, full]


@pytest.mark.parametrize("replaced", [True, False])
def test_a_database_that_was_removed_grants_nothing(store: Store, tmp_path: Path, replaced: bool) -> None:
    for path in tmp_path.glob("claims*"):
        path.unlink()
    if replaced:
        other = Store(connect(f"sqlite:///{tmp_path / 'claims'}"))
        other.close()
    for _ in range(2):
        with pytest.raises(DatabaseLost, match="was removed or replaced"):
            claim(store)
    assert (tmp_path / "claims").exists() == replaced
    os.close(os.open(tmp_path / "claims", os.O_CREAT))  # for the end of the fixture


def test_a_failure_within_leaves_the_database_usable(store: Store) -> None:
    with pytest.raises(sa.exc.StatementError):
        store.claims.claim("a", name="x", estimate=object(), token="t", worker="w")  # type: ignore[arg-type]
    assert store.claims.job_of("a") is None
    assert claim(store) is Claim.GRANTED


@pytest.mark.parametrize("manifest", ["changed", "gone"])
def test_a_row_that_is_claimed_while_it_is_taken_out_of_the_manifest_stays_claimed(
    store: Store, monkeypatch: pytest.MonkeyPatch, manifest: str
) -> None:
    """On PostgreSQL another machine can: its claim was deleted, and the row was there to be submitted once more."""
    before = store.row("a")

    def claims_meanwhile(connection: sa.Connection, which: object) -> None:
        claimed = {"key": "a", "name": "job a", "token": "theirs", "worker": "other", "reserved": 5, "closed": False}
        connection.execute(sa.insert(paid).values(**claimed, claimed_at=0.0))

    monkeypatch.setattr("magic_hour_workflows.batch._store.keep_ids", claims_meanwhile)
    other = attrs.evolve(ROWS[0], parameters={"image_count": 2, "style": {"prompt": "y"}})
    assert store.set_rows(planned([other, *ROWS[1:]] if manifest == "changed" else ROWS[1:])) == []
    assert claim(store) is Claim.TAKEN
    assert store.row("a") == before


def test_an_event_gives_a_row_the_id_that_it_lacks(any_store: Store) -> None:
    """A doubtful row is settled without a person, one whose answer is on its way gets the same id twice."""
    claim(any_store)
    assert any_store.claims.announced("job b", "other", 5, worker="webhook") is None
    doubtful(any_store)
    assert any_store.claims.announced("job a", "job-1", 7, worker="webhook") == "a"
    assert any_store.claims.settled() == ["a"]
    assert committed(any_store) == 7
    assert any_store.claims.announced("job a", "job-1", 7, worker="webhook") is None
    assert accepted(any_store, "a", "job-1", 7)
    assert any_store.claims.strays() == []
    found = any_store.claims.job_of("a")
    assert found is not None
    assert found.project_id == "job-1"
