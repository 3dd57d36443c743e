"""What stops a batch: too few credits, a refused key, a full disk, an unusable database. The next run continues."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batch.local_batch import PRICE, LocalBatch, image_row, image_rows
from magic_hour_client.errors import InvalidArgument
from magic_hour_emulator import Emulator
from magic_hour_workflows import _partial_download as files
from magic_hour_workflows.batch._rows import RowStatus

SAVED, FAILED, DOUBTFUL = RowStatus.SAVED, RowStatus.FAILED, RowStatus.DOUBTFUL


@pytest.fixture
def poor(tmp_path: Path) -> Iterator[LocalBatch]:
    with Emulator(token="mhk_test_canary", speed=50, seed=0, credits=3 * PRICE) as emulator:
        yield LocalBatch(emulator, tmp_path)


def test_max_credits_is_never_exceeded_and_says_who_was_left(local: LocalBatch) -> None:
    ended = local.run([*image_rows(6), image_row("dear", image_count=4)], max_credits=4 * PRICE - 1, concurrency=8)
    assert local.emulator.ledger.charged == 3 * PRICE
    left = [row for row in ended.values() if row.status is RowStatus.SKIPPED]
    assert len(left) == 4
    assert {row.error_type for row in left} == {"OverBudget"}
    assert all(f"row '{row.key}' was skipped" in str(row.error) for row in left)
    assert set(local.charged) == {row.key for row in ended.values() if row.status is SAVED}
    local.run(max_credits=4 * PRICE)  # without a manifest, too
    assert local.emulator.ledger.charged == 4 * PRICE
    assert set(local.charged.values()) == {1}


def test_too_few_credits_pause_the_batch(poor: LocalBatch) -> None:
    batch = poor.batch(image_rows(8), concurrency=4, check_balance=False)
    ended = poor.ran(batch)
    assert {row.status for row in ended.values()} == {SAVED}
    assert poor.emulator.ledger.charged == 3 * PRICE
    assert "too few credits" in str(batch.halted)
    assert "run the batch again" in str(poor.batch().summary().halted)
    assert poor.batch().summary().credits == 3 * PRICE
    assert set(poor.statuses().values()) == {SAVED, RowStatus.WAITING}  # nothing failed
    refusals = [one for one in poor.emulator.requests.find(origin="api", method="POST") if one.status == 402]
    assert 1 <= len(refusals) <= 4  # at most one for each of the four rows that ran when the first was refused


def test_a_refused_key_stops_the_batch(local: LocalBatch) -> None:
    batch = local.batch(image_rows(8), concurrency=1, token="mhk_test_wrong")
    assert local.ran(batch) == {}
    assert "API key was refused" in str(batch.halted)
    assert "mhk_test_wrong" not in str(batch.halted)
    assert len(local.emulator.requests.find(origin="api", method="POST")) == 1
    assert len(local.run(image_rows(8))) == 8
    assert set(local.charged.values()) == {1}


def test_a_row_that_is_refused_fails_alone(local: LocalBatch) -> None:
    local.emulator.faults.add("status", on="create", status=422)
    ended = local.run(image_rows(3))
    [failed] = [row for row in ended.values() if row.status is FAILED]
    assert failed.credits == 0
    assert local.run(image_rows(3), retry=True)[failed.key].status is SAVED
    assert set(local.charged.values()) == {1}


def test_a_service_that_is_away_leaves_the_rows_for_later(local: LocalBatch) -> None:
    ended = local.run(image_rows(2), base_url="http://127.0.0.1:1", timeout=1.0)
    assert {row.status for row in ended.values()} == {RowStatus.RUNNING}
    assert {row.credits for row in ended.values()} == {0}
    assert {row.status for row in local.run(image_rows(2)).values()} == {SAVED}


def test_a_full_disk_stops_the_batch_and_loses_nothing(local: LocalBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: files.PartialDownload, chunk: bytes) -> None:
        raise self._unwritable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    with monkeypatch.context() as patch:
        patch.setattr(files.PartialDownload, "write", full)
        batch = local.batch(image_rows(10), concurrency=1)
        ended = local.ran(batch)
    assert {row.status for row in ended.values()} == {RowStatus.RUNNING}
    assert "No space left" in str(batch.halted)
    assert len(local.charged) == 1
    assert local.files == []  # no staging left behind
    assert {row.status for row in local.run(image_rows(10)).values()} == {SAVED}
    assert local.charged == {f"fox-{number}": 1 for number in range(10)}


def test_a_database_somebody_else_writes_to_is_waited_for(local: LocalBatch) -> None:
    work = local.batch(image_rows(4), concurrency=2).run()
    ended = [next(work)]
    other = sqlite3.connect(local.database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    free = threading.Timer(1.0, other.close)
    free.start()
    ended += work
    free.join()
    assert {row.status for row in ended} == {SAVED}


@pytest.mark.parametrize("name", ["a folder", "text"])
def test_what_cannot_be_a_database_is_refused(local: LocalBatch, name: str) -> None:
    local.folder.joinpath("a folder").mkdir()
    local.folder.joinpath("text").write_text("certainly no database\n" * 100)
    with pytest.raises(InvalidArgument, match="`database`"):
        local.run(image_rows(1), database=local.folder / name)
    assert not local.charged


def test_nothing_is_made_to_look_at_a_batch_that_is_not_there(local: LocalBatch) -> None:
    for look in (lambda: local.batch().summary(), lambda: local.batch().results(), lambda: local.run()):
        with pytest.raises(InvalidArgument, match="there is no batch"):
            look()
    assert list(local.folder.iterdir()) == []


def test_it_is_looked_at_and_settled_without_a_key(local: LocalBatch) -> None:
    local.run(image_rows(1))
    looking: Any = local.batch(token=None)
    assert looking.summary().done
    with pytest.raises(InvalidArgument, match="no API key"):
        list(looking.run())


def test_a_job_that_is_not_found_at_once_is_not_given_up(local: LocalBatch) -> None:
    local.emulator.faults.add("status", on="get", status=404)
    assert local.run(image_rows(1))["fox-0"].status is SAVED
