"""A database that is lost, refuses or was replaced: charged jobs are reported and kept, and not charged again."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batch.database_loss import played
from batch.local_batch import LocalBatch, image_rows
from magic_hour_client.errors import InvalidArgument
from magic_hour_emulator import Emulator
from magic_hour_workflows.batch import _side_file as sidefile
from magic_hour_workflows.batch._connections import connect
from magic_hour_workflows.batch._database import database_of, open_batch, side_file_path
from magic_hour_workflows.batch._rows import RowStatus
from magic_hour_workflows.batch._side_file import Note, SideFile, read
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.errors import DatabaseLost

REMOVED, REPLACED, FULL, FULL_FOR_A_MOMENT = 2, 4, 10, 33
"""Seeds of `make batch-lost`, one of a kind."""


@pytest.mark.parametrize("seed", [REMOVED, REPLACED, FULL, FULL_FOR_A_MOMENT])
def test_a_database_that_is_lost_at_a_random_moment(emulator: Emulator, seed: int) -> None:
    assert played(seed, emulator)[1] == []


def test_without_side_files_the_same_is_charged_twice(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SideFile, "_write", lambda self, notes: None)
    problems = played(REMOVED, emulator)[1]
    assert any("reported nowhere" in problem for problem in problems)
    assert any("charged twice" in problem for problem in problems)


def test_a_truncated_database_is_not_a_batch_that_is_saved(local: LocalBatch) -> None:
    """It was: run 1 ended with "saved", and run 2 paid for everything again."""
    work = local.batch(image_rows(3), concurrency=1).run()
    next(work)
    os.truncate(local.database, 0)
    with pytest.raises(DatabaseLost, match=r"truncated|no longer readable|replaced"):
        list(work)
    os.truncate(local.database, 4096)  # SQLite had made it as large as before, with holes
    with pytest.raises(DatabaseLost, match="damaged") as said:
        local.run(image_rows(3))
    assert "restore the database" in str(said.value)
    os.truncate(local.database, 0)
    for look in (lambda: local.run(image_rows(3)), local.batch().summary, local.batch().results):
        with pytest.raises(DatabaseLost, match="missing or empty"):
            look()
    for path in local.folder.glob("foxes.batch.sqlite*"):
        if not path.name.endswith(sidefile.SUFFIX):
            path.unlink()
    local.run(image_rows(3))
    assert set(local.statuses().values()) == {RowStatus.SAVED}
    assert local.charged == {f"fox-{number}": 1 for number in range(3)}


def test_a_database_that_was_exchanged_between_two_runs_is_not_used(local: LocalBatch) -> None:
    local.run(image_rows(1))
    for path in local.folder.glob("foxes.batch.sqlite*"):
        if not path.name.endswith(".lock"):
            path.unlink()
    Store(connect(f"sqlite:///{local.database}")).close()
    with pytest.raises(DatabaseLost, match="belongs to another batch"):
        local.run(image_rows(1))
    assert local.charged.total() == 1


@pytest.mark.parametrize("error", [UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"), ValueError("refused")])
def test_an_id_that_the_database_refuses_is_told_kept_and_not_paid_for_again(
    local: LocalBatch, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    def refuse(*_: Any, **__: Any) -> bool:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("magic_hour_workflows.batch._claims.Claims.accepted", refuse)
        batch = local.batch(image_rows(2), concurrency=1)
        local.ran(batch)
    [job] = local.emulator.ledger.creates
    assert job.id in capfd.readouterr().err
    assert "did not store the id" in str(batch.halted)
    [note] = read([side_file_path(local.database)])
    assert (note.key, note.project_id) == (job.name, job.id)
    assert local.batch().results()[0].id == job.id  # also those who only look read it first
    assert {row.status for row in local.run(image_rows(2)).values()} == {RowStatus.SAVED}
    assert local.charged == {"fox-0": 1, "fox-1": 1}


def test_an_id_that_no_database_can_hold_leaves_the_row_in_doubt(local: LocalBatch) -> None:
    with open_batch(database_of(local.database)) as store:
        store.configure(output=str(local.output))
    SideFile([side_file_path(local.database)]).write(
        Note(key="fox-0", name="fox-0", token="t", project_id="\ud800x"), "why"
    )
    ended = local.run(image_rows(1))
    assert (ended, local.charged.total()) == ({}, 0)
    [row] = local.batch().results()
    assert row.status is RowStatus.DOUBTFUL
    assert r"\ud800x" in str(row.error)


def test_a_link_to_a_database_is_the_same_batch(local: LocalBatch) -> None:
    local.folder.joinpath("deep").mkdir()
    link = local.folder / "deep" / "link"
    link.symlink_to(local.database)
    with closing(local.batch(image_rows(3), concurrency=1).run()) as work:
        next(work)
        for name in (link, local.folder / "deep" / ".." / local.database.name):
            with pytest.raises(InvalidArgument, match="another process runs the batch"):
                local.run(image_rows(3), database=name)
        assert len(list(work)) == 2
    assert not list(local.folder.joinpath("deep").glob("*.lock"))


def test_a_database_with_two_names_is_refused(local: LocalBatch) -> None:
    local.run(image_rows(1))
    os.link(local.database, local.folder / "another")
    with pytest.raises(InvalidArgument, match="several names"):
        local.run(image_rows(1), database=local.folder / "another")


def test_a_database_is_in_the_file_it_is_called_whatever_an_address_would_make_of_it(local: LocalBatch) -> None:
    """`a%20b` was the file of `a b` with a lock of its own, and not found by the next run."""
    name = "fox?2%20#@:1.sqlite"
    local.database = local.folder / name
    local.run(image_rows(1))
    assert local.database.stat().st_size
    assert {path.name.removeprefix(name) for path in local.folder.glob("*fox*")} <= {"", ".lock", "-wal", "-shm"}
    with open_batch(database_of(local.database)) as store:
        assert [row.status for row in store.results()] == [RowStatus.SAVED]


def test_a_batch_stays_where_it_was_named_although_the_program_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = database_of("foxes.sqlite")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    with open_batch(database):
        pass
    assert {path.name for path in tmp_path.iterdir()} >= {"foxes.sqlite", "foxes.sqlite.lock"}


def test_a_side_file_that_cannot_be_read_stops_the_run(local: LocalBatch) -> None:
    """What it names may have been charged. A directory, because who runs the tests may read everything."""
    with open_batch(database_of(local.database)) as store:
        store.configure(output=str(local.output))
    side_file_path(local.database).mkdir()
    for look in (
        lambda: local.run(image_rows(2)),
        local.batch().results,
        lambda: local.batch().settle("fox-0", project_id="x"),
    ):
        with pytest.raises(DatabaseLost, match=r"unrecorded\.jsonl, which may name charged jobs, cannot be"):
            look()
    assert local.charged.total() == 0


def test_every_sqlite_knows_the_milliseconds_that_the_engine_asks_for(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'batch.sqlite'}")
    with engine.connect() as connection:
        seconds = connection.execute(sa.text("SELECT unixepoch('subsec')")).scalar_one()
    engine.dispose()
    assert abs(seconds - time.time()) < 3600
