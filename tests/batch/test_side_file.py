"""Side files: a note survives anything it contains, and an id ends the doubt noted before."""

from __future__ import annotations

from pathlib import Path

import pytest

from magic_hour_workflows.batch._side_file import Note, SideFile, read, read_line


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
