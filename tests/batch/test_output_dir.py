"""Final names: given after a sync, once per file, and never over a file of the user."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from magic_hour_workflows import _syncing
from magic_hour_workflows.batch import _output_dir as places
from magic_hour_workflows.batch._output_dir import GroupWork, Incoming, OutputDir

CONTENT = bytes(range(256)) * 20


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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

    monkeypatch.setattr(places, "sync", sync)
    monkeypatch.setattr(_syncing, "sync", sync)
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


def test_a_link_is_no_output_that_was_saved_before(tmp_path: Path) -> None:
    """It has the right bytes, today; what it points to is somebody else's."""
    theirs, arrived, out = tmp_path / "theirs.png", tmp_path / "arrived.png", tmp_path / "out"
    out.mkdir()
    for path in (theirs, arrived):
        path.write_bytes(b"the same picture")
    (out / "fox-1.png").symlink_to(theirs)
    [placed] = asyncio.run(OutputDir(out, "w").save(Incoming(key="fox", files=[(1, arrived)], before=list)))
    assert placed.path == out / "fox-1 (2).png"
    assert (out / "fox-1.png").is_symlink()
