"""Submitting a row at unlucky moments, each made by hand, on SQLite and without a service."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from batch.local_batch import LocalBatch, steps_of, until
from magic_hour_workflows.batch import _database as database
from magic_hour_workflows.batch import _submission as submission
from magic_hour_workflows.batch._claims import Claim
from magic_hour_workflows.batch._fleet import Instant, Session, StopSignal
from magic_hour_workflows.batch._manifest import planned
from magic_hour_workflows.batch._rows import Row, RowStatus
from magic_hour_workflows.batch._side_file import Note, SideFile
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.batch._submission import Environment

NOTE = Note(key="a", name="a", token="token", estimate=5)


def test_a_row_that_stood_in_line_when_the_batch_was_halted_claims_nothing(store: Store, tmp_path: Path) -> None:
    stop_signal = StopSignal()
    work = steps_of(store, tmp_path, stop_signal)

    async def story() -> None:
        await work.submitter._claim_lock.acquire()  # another row asks for its claim
        task = asyncio.ensure_future(work.submitter._claim(NOTE))
        await asyncio.sleep(0)  # it has passed the gate, and stands in line
        stop_signal("Ctrl-C")
        work.submitter._claim_lock.release()
        await until(lambda: stop_signal.parked or task.done())
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(story())
    assert store.claims.job_of("a") is None
    assert store.settings()["committed"] == 0


def test_a_claim_that_came_after_a_long_stop_is_given_back_and_asked_for_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process stood still between asking and being answered: the moment is another's now."""
    clock, asked = [0.0], []
    claim = store.claims.claim

    def stopped(*args: Any, **named: Any) -> Claim:
        asked.append(store.claims.job_of("a"))
        clock[0] += 60 if len(asked) == 1 else 0
        return claim(*args, **named)

    monkeypatch.setattr(store.claims, "claim", stopped)
    work = steps_of(store, tmp_path, StopSignal())
    work.submitter._environment = Environment(now=lambda: Instant(clock[0], clock[0]))
    granted, permit = asyncio.run(work.submitter._claim(NOTE))
    assert (granted, permit.since.boot) == (Claim.GRANTED, 60)
    assert asked == [None, None]  # what was granted first was given back
    assert store.settings()["committed"] == 5


@pytest.mark.parametrize("token", [NOTE.token, "of whoever closed it"])
def test_a_submission_that_is_cut_off_is_in_doubt_at_once(store: Store, tmp_path: Path, token: str) -> None:
    """It was "running", and a batch that was stopped by Ctrl-C twice said that nothing is lost."""
    store.claims.claim("a", name="a", estimate=5, token=token, worker="worker")
    cut_off = asyncio.CancelledError()
    cut_off.submission_unknown = "nobody knows"  # type: ignore[attr-defined]
    steps_of(store, tmp_path, StopSignal()).submitter._settle(NOTE, cut_off)
    row = store.result("a")
    assert row is not None
    mine = token == NOTE.token
    assert row.status is (RowStatus.DOUBTFUL if mine else RowStatus.RUNNING)
    assert (row.error, row.error_type) == (("nobody knows", "SubmissionUnknown") if mine else (None, None))
    assert store.claims.claim("a", name="a", estimate=5, token="next", worker="w") is Claim.TAKEN
    assert store.settings()["committed"] == 5


def test_a_claim_nobody_waits_for_any_longer_is_given_back(local: LocalBatch, tmp_path: Path) -> None:
    """The run ends while the database grants the claim: nothing was sent, so the row is not in doubt."""
    row = planned(
        [Row(key="a", endpoint="ai_image_generator", parameters={"image_count": 1, "style": {"prompt": "x"}})]
    )
    with database.open_batch(database.database_of(local.database)) as store:
        store.set_rows(row)
        at_work = submission.Submitter(
            store.claims, Session(store.engine, "worker"), SideFile([]), StopSignal(), "worker"
        )

        async def ended() -> None:
            other = sqlite3.connect(local.database, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.ensure_future(at_work._claim(Note(key="a", name="a", token="token", estimate=5)))
            while store.engine.pool.checkedout() == 0:  # noqa: ASYNC110  (until it stands in line for the database)
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.to_thread(other.close)
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(ended())
        assert store.claims.job_of("a") is None
        assert store.settings()["committed"] == 0
