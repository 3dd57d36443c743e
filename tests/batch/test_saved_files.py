"""Saved means the bytes: damaged files are found, and downloaded again without a new job."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import sqlite3
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batch.file_damage import DAMAGES, Damage, Story
from batch.local_batch import LocalBatch, image_row, image_rows
from magic_hour_client.errors import InvalidArgument
from magic_hour_workflows._flows import download
from magic_hour_workflows.batch import _output_dir as saved
from magic_hour_workflows.batch import _row_workflow as way
from magic_hour_workflows.batch._connections import connect
from magic_hour_workflows.batch._engine import Engine
from magic_hour_workflows.batch._fleet import StopSignal
from magic_hour_workflows.batch._manifest import planned
from magic_hour_workflows.batch._output_dir import checked, problem
from magic_hour_workflows.batch._rows import FileProblem, Row, RowResult, RowStatus
from magic_hour_workflows.batch._run import Run
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.batch._submission import finished

SAVED, RUNNING = RowStatus.SAVED, RowStatus.RUNNING


CONTENT = bytes(range(256)) * 20


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def row(*paths: Path, **values: Any) -> RowResult:
    contents = [path.read_bytes() for path in paths]
    known: dict[str, Any] = {"sizes": [len(each) for each in contents], "sha256": [sha256(each) for each in contents]}
    return RowResult(key="fox", endpoint="ai_image_generator", status=SAVED, paths=list(paths), **{**known, **values})


@pytest.mark.parametrize("way", DAMAGES, ids=lambda way: way.__name__)
def test_each_kind_of_damage_is_found(tmp_path: Path, way: Damage) -> None:
    path = tmp_path / "fox-1.png"
    path.write_bytes(CONTENT)
    assert problem(path, len(CONTENT), sha256(CONTENT)) is None
    way(path, random.Random(0))
    assert problem(path, len(CONTENT), sha256(CONTENT)) is DAMAGES[way]


def test_what_cannot_be_read_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fox-1.png"
    path.write_bytes(CONTENT)

    def unreadable(_: Path) -> str:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(saved, "sha256", unreadable)
    assert problem(path, len(CONTENT), sha256(CONTENT)) is FileProblem.UNREADABLE
    assert problem(path / "below", len(CONTENT), sha256(CONTENT)) is FileProblem.MISSING


def test_a_size_tells_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fox-1.png"
    path.write_bytes(CONTENT)
    read: list[Path] = []
    monkeypatch.setattr(saved, "sha256", read.append)
    assert problem(path, 1, sha256(CONTENT)) is FileProblem.SIZE
    assert problem(path, len(CONTENT), sha256(CONTENT), content=False) is None
    assert read == []


def test_a_row_of_a_release_that_wrote_no_sizes_down_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "fox-1.png"
    path.write_bytes(CONTENT)
    old = row(path, sizes=[])
    assert [damaged for _, damaged in checked([old])] == [[]]
    os.truncate(path, 0)
    [(_, [found])] = checked([old])
    assert (found.key, found.path, found.problem) == ("fox", path, FileProblem.CONTENT)


def test_a_saved_row_without_files_is_damaged() -> None:
    [(_, [found])] = checked([row()])
    assert (found.path, found.problem) == (None, FileProblem.MISSING)


def test_whoever_has_had_enough_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "_ROWS_AHEAD", 2)
    path = tmp_path / "fox-1.png"
    path.write_bytes(CONTENT)
    looked: list[RowResult] = []
    for one, _ in checked([row(path)] * 10, stop=lambda: len(looked) >= 3):
        looked.append(one)
    assert len(looked) == 4


def test_what_is_damaged_is_found_and_fetched_again_without_a_create(local: LocalBatch) -> None:
    story = Story(local, rows=7, seed=7)
    story.round(25)
    assert story.damaged == 25


def test_a_row_of_which_one_output_cannot_be_saved_keeps_the_others(
    local: LocalBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is halted, the next run asks for the rest, and what is there is not fetched under a second name."""
    urls = download._urls

    def unusable(job: Any, project: Any) -> Any:
        given = urls(job, project)
        if project.name == "fox-1" and given:
            given[1] = "ftp://storage.example/2.png?signature=canary"
        return given

    rows = [image_row(f"fox-{number}", image_count=3) for number in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(download, "_urls", unusable)
        for _ in range(2):
            batch = local.batch(rows)
            ended = local.ran(batch)
            assert batch.halted is None
            partly = ended["fox-1"]
            assert (partly.status, partly.error_type, partly.credits) == (RUNNING, "DownloadFailed", 15)
            assert "2 of 3" in str(partly.error)
            assert "canary" not in repr(partly)
            assert [path.name for path in partly.paths] == ["fox-1-1.png", "fox-1-3.png"]
            assert [sha256(path.read_bytes()) for path in partly.paths] == partly.sha256
            assert [path.stat().st_size for path in partly.paths] == partly.sizes
            assert {local.statuses()[key] for key in ("fox-0", "fox-2")} == {SAVED}
    assert [path.name for path in local.run(rows)["fox-1"].paths] == [f"fox-1-{number}.png" for number in (1, 2, 3)]
    assert len(local.files) == 9
    assert local.charged == {f"fox-{number}": 1 for number in range(3)}


def test_what_goes_wrong_later_takes_nothing_from_what_is_known_of_a_row(tmp_path: Path) -> None:
    parameters = {"image_count": 1, "style": {"prompt": "x"}}
    store = Store(connect(f"sqlite:///{tmp_path / 'image_rows'}"))
    store.set_rows(planned([Row(key="fox", endpoint="ai_image_generator", parameters=parameters)]))
    (tmp_path / "fox-1.png").write_bytes(CONTENT)
    saved = row(tmp_path / "fox-1.png")
    store.finish(saved)
    store.reopen(["fox"])
    store.finish(RowResult(key="fox", endpoint="ai_image_generator", status=RowStatus.FAILED, error="not found"))
    after = store.result("fox")
    store.close()
    assert after is not None
    assert (after.status, after.error) == (RowStatus.FAILED, "not found")
    assert (after.paths, after.sha256, after.sizes) == (saved.paths, saved.sha256, saved.sizes)


def test_files_that_are_damaged_before_the_row_is_written_down_are_fetched_again(
    local: LocalBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine has recorded that they were saved when the process ends; what it plays back later is not believed."""
    batch = local.batch(image_rows(2))

    async def never(work: Any) -> Any:
        if not (isinstance(work, partial) and work.func.__name__ == "_finish"):  # a step, not the end of the row
            return await finished(work)
        if len(local.files) == 2 + 1:  # both, and where they came from
            batch.halt("enough")
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(way, "finished", never)
        patch.setattr(Engine, "idle", lambda engine: True)
        assert list(batch.run()) == []
    assert set(local.statuses().values()) == {RUNNING}
    (local.output / "fox-0-1.png").write_bytes(b"")
    downloads = len(local.emulator.requests.find(origin="storage", method="GET"))
    ended = local.run(image_rows(2))
    assert {row.status for row in ended.values()} == {SAVED}
    assert local.batch().verify().intact
    assert len(local.emulator.requests.find(origin="storage", method="GET")) == downloads + 1
    assert local.charged == {"fox-0": 1, "fox-1": 1}


def test_a_database_of_an_older_release_gets_the_new_columns(local: LocalBatch) -> None:
    before = local.run(image_rows(1))["fox-0"]
    change(local, "ALTER TABLE rows DROP COLUMN sizes")
    [old] = local.batch().results()
    assert (old.status, old.sizes, old.sha256) == (SAVED, [], before.sha256)
    assert local.batch().verify().intact
    os.truncate(before.paths[0], 1)
    assert local.run(image_rows(1))["fox-0"].sizes == before.sizes
    assert local.charged == {"fox-0": 1}


def test_a_database_that_lacks_what_nobody_can_add_is_refused(local: LocalBatch) -> None:
    local.run(image_rows(1))
    change(local, "ALTER TABLE batch DROP COLUMN committed")
    with pytest.raises(InvalidArgument, match="an older version created it") as caught:
        local.batch().results()
    assert caught.value.field == "database"


def change(local: LocalBatch, statement: str) -> None:
    connection = sqlite3.connect(local.database)
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(("shared", "others", "read"), [(False, ["b"], True), (True, [], True), (True, ["b"], False)])
def test_whoever_joins_others_at_work_does_not_read_every_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool, others: list[str], read: bool
) -> None:
    path = tmp_path / "fox-1.png"
    path.write_bytes(CONTENT)
    known = row(path)
    path.write_bytes(bytes(len(CONTENT)))
    work: Any = Run(SimpleNamespace(shared=shared), StopSignal(), SimpleNamespace(), None)  # type: ignore[arg-type]
    fleet = SimpleNamespace(alive=lambda seconds: others)
    work._store = SimpleNamespace(fleet=fleet, saved=lambda: iter([known]))
    assert work._damaged() == (["fox"] if read else [])
