"""A database that is lost, refuses, or is another one: what was charged is told and kept, and is not charged again."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batch.foxes import Den, foxes
from batch.lost import played
from magic_hour_client.errors import InvalidArgument
from magic_hour_emulator import Emulator
from magic_hour_workflows.batch import _side_file as sidefile
from magic_hour_workflows.batch._connections import DatabaseLost, connect
from magic_hour_workflows.batch._database import database_of, open_batch, side_file_path
from magic_hour_workflows.batch._fleet import Fleet, Instant
from magic_hour_workflows.batch._rows import RowStatus
from magic_hour_workflows.batch._side_file import Note, SideFile, read, read_line
from magic_hour_workflows.batch._store import Store

REMOVED, REPLACED, FULL = 2, 4, 10
"""Seeds of `make batch-lost`, one of a kind."""


@pytest.fixture
def den(emulator: Emulator, tmp_path: Path) -> Den:
    return Den(emulator, tmp_path)


@pytest.mark.parametrize("seed", [REMOVED, REPLACED, FULL])
def test_a_database_that_is_lost_at_a_random_moment(emulator: Emulator, seed: int) -> None:
    assert played(seed, emulator)[1] == []


def test_without_side_files_the_same_is_charged_twice(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SideFile, "_keep", lambda self, notes: None)
    problems = played(REMOVED, emulator)[1]
    assert any("reported nowhere" in problem for problem in problems)
    assert any("charged twice" in problem for problem in problems)


def test_a_truncated_database_is_not_a_batch_that_is_saved(den: Den) -> None:
    """It was: run 1 ended with "saved", and run 2 paid for everything again."""
    work = den.batch(foxes(3), concurrency=1).run()
    next(work)
    os.truncate(den.database, 0)
    with pytest.raises(DatabaseLost, match=r"truncated|cannot be read|another one"):
        list(work)
    os.truncate(den.database, 4096)  # SQLite had made it as large as before, with holes
    with pytest.raises(DatabaseLost, match="damaged") as said:
        den.run(foxes(3))
    assert "put the database back" in str(said.value)
    os.truncate(den.database, 0)
    for look in (lambda: den.run(foxes(3)), den.batch().summary, den.batch().results):
        with pytest.raises(DatabaseLost, match="missing or empty"):
            look()
    for path in den.folder.glob("foxes.batch.sqlite*"):
        if not path.name.endswith(sidefile.SUFFIX):
            path.unlink()
    den.run(foxes(3))
    assert set(den.statuses().values()) == {RowStatus.SAVED}
    assert den.charged == {f"fox-{number}": 1 for number in range(3)}


def test_a_database_that_was_exchanged_between_two_runs_is_not_used(den: Den) -> None:
    den.run(foxes(1))
    for path in den.folder.glob("foxes.batch.sqlite*"):
        if not path.name.endswith(".lock"):
            path.unlink()
    Store(connect(f"sqlite:///{den.database}")).close()
    with pytest.raises(DatabaseLost, match="is not the one of this batch"):
        den.run(foxes(1))
    assert den.charged.total() == 1


@pytest.mark.parametrize("error", [UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"), ValueError("refused")])
def test_an_id_that_the_database_refuses_is_told_kept_and_not_paid_for_again(
    den: Den, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    def refuse(*_: Any, **__: Any) -> bool:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("magic_hour_workflows.batch._claims.Claims.accepted", refuse)
        batch = den.batch(foxes(2), concurrency=1)
        den.ran(batch)
    [job] = den.emulator.ledger.creates
    assert job.id in capfd.readouterr().err
    assert "does not take the id" in str(batch.halted)
    [note] = read([side_file_path(den.database)])
    assert (note.key, note.project_id) == (job.name, job.id)
    assert den.batch().results()[0].id == job.id  # also those who only look read it first
    assert {row.status for row in den.run(foxes(2)).values()} == {RowStatus.SAVED}
    assert den.charged == {"fox-0": 1, "fox-1": 1}


def test_an_id_that_no_database_can_hold_leaves_the_row_in_doubt(den: Den) -> None:
    with open_batch(database_of(den.database)) as store:
        store.configure(output=str(den.output))
    SideFile([side_file_path(den.database)]).write(
        Note(key="fox-0", name="fox-0", token="t", project_id="\ud800x"), "why"
    )
    ended = den.run(foxes(1))
    assert (ended, den.charged.total()) == ({}, 0)
    [row] = den.batch().results()
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


def test_a_link_to_a_database_is_the_same_batch(den: Den) -> None:
    den.folder.joinpath("deep").mkdir()
    link = den.folder / "deep" / "link"
    link.symlink_to(den.database)
    with closing(den.batch(foxes(3), concurrency=1).run()) as work:
        next(work)
        for name in (link, den.folder / "deep" / ".." / den.database.name):
            with pytest.raises(InvalidArgument, match="another process runs the batch"):
                den.run(foxes(3), database=name)
        assert len(list(work)) == 2
    assert not list(den.folder.joinpath("deep").glob("*.lock"))


def test_a_database_with_two_names_is_refused(den: Den) -> None:
    den.run(foxes(1))
    os.link(den.database, den.folder / "another")
    with pytest.raises(InvalidArgument, match="several names"):
        den.run(foxes(1), database=den.folder / "another")


def test_a_database_is_in_the_file_it_is_called_whatever_an_address_would_make_of_it(den: Den) -> None:
    """`a%20b` was the file of `a b` with a lock of its own, and not found by the next run."""
    name = "fox?2%20#@:1.sqlite"
    den.database = den.folder / name
    den.run(foxes(1))
    assert den.database.stat().st_size
    assert {path.name.removeprefix(name) for path in den.folder.glob("*fox*")} <= {"", ".lock", "-wal", "-shm"}
    with open_batch(database_of(den.database)) as store:
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


def test_a_side_file_that_cannot_be_read_stops_the_run(den: Den) -> None:
    """What it names may have been charged. A directory, because who runs the tests may read everything."""
    with open_batch(database_of(den.database)) as store:
        store.configure(output=str(den.output))
    side_file_path(den.database).mkdir()
    for look in (lambda: den.run(foxes(2)), den.batch().results, lambda: den.batch().settle("fox-0", project_id="x")):
        with pytest.raises(DatabaseLost, match=r"unrecorded\.jsonl, which may name jobs that were charged, cannot be"):
            look()
    assert den.charged.total() == 0


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
