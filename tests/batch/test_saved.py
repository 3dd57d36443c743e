"""Saved means the bytes: what is damaged on the disk is found, and fetched again for nothing."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import sqlite3
import stat
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batch.file_damage import DAMAGES, Damage, Story
from batch.local_batch import LocalBatch, image_row, image_rows
from magic_hour_client.errors import InvalidArgument
from magic_hour_emulator import Emulator
from magic_hour_workflows._flows import download
from magic_hour_workflows.batch import _output_dir as places
from magic_hour_workflows.batch import _row_workflow as way
from magic_hour_workflows.batch import _saved_files as saved
from magic_hour_workflows.batch._connections import connect
from magic_hour_workflows.batch._engine import Engine
from magic_hour_workflows.batch._fleet import StopSignal
from magic_hour_workflows.batch._manifest import planned
from magic_hour_workflows.batch._output_dir import GroupWork, Incoming, OutputDir
from magic_hour_workflows.batch._rows import FileProblem, Row, RowResult, RowStatus
from magic_hour_workflows.batch._run import Run
from magic_hour_workflows.batch._saved_files import checked, problem
from magic_hour_workflows.batch._store import Store

SAVED, RUNNING = RowStatus.SAVED, RowStatus.RUNNING
CONTENT = bytes(range(256)) * 20


@pytest.fixture
def local(emulator: Emulator, tmp_path: Path) -> LocalBatch:
    return LocalBatch(emulator, tmp_path)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def row(*paths: Path, **values: Any) -> RowResult:
    contents = [path.read_bytes() for path in paths]
    known: dict[str, Any] = {"sizes": [len(each) for each in contents], "sha256": [sha256(each) for each in contents]}
    return RowResult(key="fox", endpoint="ai_image_generator", status=SAVED, paths=list(paths), **{**known, **values})


# Checking


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


# Names


def save(out: Path, content: bytes = CONTENT, before: Callable[[], Collection[Path]] = list) -> Path:
    out.mkdir(exist_ok=True)
    arrived = out / "arrived.png"
    arrived.write_bytes(content)
    [file] = asyncio.run(OutputDir(out, "w").save(Incoming(key="fox", files=[(1, arrived)], before=before)))
    assert (file.size, file.sha256) == (len(content), sha256(content))
    assert file.path.read_bytes() == content
    return file.path


@pytest.mark.parametrize("left", [b"", CONTENT[:1], CONTENT[:-1]])
def test_what_is_left_of_the_same_file_is_replaced(tmp_path: Path, left: bytes) -> None:
    path = save(tmp_path)
    path.write_bytes(left)
    assert save(tmp_path, before=lambda: [path]) == path


@pytest.mark.parametrize("theirs", [b"", CONTENT[:-1], b"mine", CONTENT + b"more", CONTENT[:-1] + b"!"])
@pytest.mark.parametrize("known", [True, False])
def test_what_may_be_somebody_elses_keeps_its_name(tmp_path: Path, theirs: bytes, known: bool) -> None:
    path = tmp_path / "fox-1.png"
    path.write_bytes(theirs)
    ours = known and theirs in (b"", CONTENT[:-1])
    found = save(tmp_path, before=lambda: [path] if known else [])
    assert found == (path if ours else tmp_path / "fox-1 (2).png")
    assert ours or path.read_bytes() == theirs


def test_the_same_bytes_are_not_saved_twice(tmp_path: Path) -> None:
    assert save(tmp_path) == save(tmp_path) == tmp_path / "fox-1.png"
    (tmp_path / "fox-1.png").write_bytes(b"mine")
    assert save(tmp_path) == save(tmp_path) == tmp_path / "fox-1 (2).png"


# The disk


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reached the disk, in order; `broken` in a name fails."""
    done: list[str] = []
    moved = places.moved

    def sync(descriptor: int) -> None:
        directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if not directory and os.pread(descriptor, 6, 0) == b"broken":
            raise OSError(errno.EIO, "the disk is broken")
        done.append("directory" if directory else "bytes")

    monkeypatch.setattr(places, "_sync", sync)
    monkeypatch.setattr(places, "moved", lambda *paths: (done.append("name"), moved(*paths))[1])
    return done


def save_together(out: Path, *contents: bytes) -> list[Any]:
    keeper = OutputDir(out, "w")
    keeper._unsynced = [out]  # what is above it was synced with an earlier group

    async def story() -> list[Any]:
        paths = [out / f"arrived-{number}.png" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        incoming = [Incoming(key=path.stem, files=[(1, path)], before=list) for path in paths]
        return await asyncio.gather(*map(keeper.save, incoming), return_exceptions=True)

    return asyncio.run(story())


def test_rows_that_come_together_are_synced_together(tmp_path: Path, synced: list[str]) -> None:
    """Bytes before they get a name, names before anything counts as saved."""
    save_together(tmp_path, b"one", b"two", b"three")
    assert synced == ["bytes"] * 3 + ["name"] * 3 + ["directory"]


def test_the_folders_above_a_new_folder_are_synced_once(tmp_path: Path, synced: list[str]) -> None:
    keeper = OutputDir(tmp_path, "w")
    for key in "ab":
        (tmp_path / f"{key}.png").write_bytes(key.encode())
        asyncio.run(keeper.save(Incoming(key=key, files=[(1, tmp_path / f"{key}.png")], before=list)))
    assert synced.count("directory") == 1 + len(tmp_path.parents) + 1


def test_bytes_that_the_disk_refuses_get_no_name_and_cost_no_other_row(tmp_path: Path, synced: list[str]) -> None:
    good, bad = save_together(tmp_path, b"good", b"broken")
    assert isinstance(bad, OSError)
    assert [file.path.name for file in good] == ["arrived-0-1.png"]
    assert not (tmp_path / "arrived-1-1.png").exists()


def test_names_that_the_disk_refuses_are_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(places, "sync_directory", broken)
    assert [type(end) for end in save_together(tmp_path, b"one", b"two")] == [OSError, OSError]


def test_a_group_that_meets_a_fault_of_its_own_keeps_nobody_waiting() -> None:
    def faulty(_: list[int]) -> list[int | OSError]:
        raise RuntimeError("a bug")

    async def story() -> list[Any]:
        return await asyncio.gather(*map(GroupWork(faulty), range(3)), return_exceptions=True)

    assert [type(end) for end in asyncio.run(story())] == [RuntimeError] * 3


def test_a_row_that_is_stopped_leaves_no_work_behind(tmp_path: Path) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def slow(items: list[int]) -> list[int | OSError]:
        begun.set()
        go_on.wait(10)
        done.extend(items)
        return list(items)

    async def story() -> None:
        task = asyncio.ensure_future(GroupWork(slow)(1))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == [1]

    asyncio.run(story())


# A whole batch


def test_what_is_damaged_is_found_and_fetched_again_without_a_create(local: LocalBatch) -> None:
    story = Story(local, rows=14, seed=7)
    story.round(50)
    assert story.damaged == 50


def test_a_row_of_which_one_output_cannot_be_saved_keeps_the_others(
    local: LocalBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is halted, the next run asks for the rest, and what is there is not fetched under a second name."""
    urls = download._urls

    def unusable(project: Any) -> Any:
        given = urls(project)
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

    async def never(*_: Any) -> None:
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
