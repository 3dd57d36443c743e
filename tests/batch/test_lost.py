"""A database that is lost, refuses, or is another one: what was charged is told and kept, and is not charged again."""

from __future__ import annotations

import os
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
from magic_hour_workflows.batch._fleet import Fleet, Instant
from magic_hour_workflows.batch._rows import RowStatus
from magic_hour_workflows.batch._side_file import Note, SideFile, read, read_line
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.errors import DatabaseLost

REMOVED, REPLACED, FULL = 2, 4, 10
"""Seeds of `make batch-lost`, one of a kind."""


@pytest.fixture
def local(emulator: Emulator, tmp_path: Path) -> LocalBatch:
    return LocalBatch(emulator, tmp_path)


@pytest.mark.parametrize("seed", [REMOVED, REPLACED, FULL])
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


# Side files


def test_a_note_survives_anything_that_is_in_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    strange = "\ud800\x1b[31m\nfox\u2028"
    note = Note(key=strange, name=strange, token="t", project_id=strange * 300, credits=float("nan"))
    SideFile([tmp_path / "folder" / "notes", tmp_path]).write(note, "why")
    [again] = read([tmp_path / "folder" / "notes"])
    assert (again.key, again.project_id, again.credits) == (strange, strange * 300, None)
    said = capfd.readouterr().err
    assert said.isascii()
    assert "\x1b" not in said
    assert r"\ud800\x1b[31m\nfox" in said
    assert max(map(len, said.splitlines())) < 1000


def test_half_a_line_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(Note(key="a", name="a", project_id="id-1").line().encode()[:-9])
    SideFile([path]).write(Note(key="b", name="b", project_id="id-2"), "why")
    assert [note.project_id for note in read([path])] == ["id-2"]
    assert [read_line(line) for line in ("[" * 5000, "{}", '{"key": 1, "name": "a", "id": null}', "null")] == [None] * 4


def test_an_id_ends_the_doubt_that_was_noted_before(tmp_path: Path) -> None:
    side = SideFile([tmp_path / "one", tmp_path / "two"])
    side.submitting(Note(key="a", name="a", token="t", estimate=5))
    side.write_all("the database is gone")
    side.write(side.accepted("a", "id-1", 7), "the database is gone")
    side.write_all("the database is gone")  # said once
    assert [(note.project_id, note.credits) for note in read([tmp_path / "one", tmp_path / "two"])] == [("id-1", 7)]
    assert len((tmp_path / "one").read_text().splitlines()) == 2


def test_where_nothing_can_be_written_it_is_still_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    SideFile([tmp_path / "file" / "notes"]).write(Note(key="a", name="a", project_id="id-1"), "why")
    assert "id-1" in (said := capfd.readouterr().err)
    assert "no file could be written" in said


# Names of the database


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


# Clocks that jump


def seen(store: Store, worker: str) -> float:
    with store.transaction() as connection:
        return float(connection.scalar(sa.text(f"SELECT seen_at FROM workers WHERE worker = '{worker}'")))  # noqa: S608


def test_a_clock_that_jumps_makes_nobody_silent_and_nobody_immortal(tmp_path: Path) -> None:
    store, clock = Store(connect(f"sqlite:///{tmp_path / 'fleet'}")), [0.0]
    fleet = Fleet(store.engine, lambda: Instant(clock[0], clock[0]))
    ahead = [0.0]
    with store.transaction() as connection:
        raw: Any = connection.connection.driver_connection
        raw.create_function("julianday", 1, lambda _: (1.7e9 + clock[0] + ahead[0]) / 86400 + 2440587.5)
    fleet.beat("me", "host")
    fleet.beat("other", "host")
    assert fleet.silent(20, "me") == []
    clock[0], ahead[0] = 5.0, 86400.0  # the clock is set a day ahead: nobody has had time to say that it lives
    assert fleet.silent(20, "me") == []
    fleet.beat("other", "host")
    clock[0], ahead[0] = 10.0, 0.0  # and back: seen tomorrow is not alive until then
    assert fleet.silent(20, "me") == []
    assert seen(store, "other") <= 1.7e9 + 10.1
    clock[0] = 35.0
    assert fleet.silent(20, "me") == ["other"]
    store.close()
