"""Outputs are saved in the requested directory, under unique names, with the permissions of the umask.

Rule: the listener creates the obstacle while the download runs, just before the final name is used.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from magic_hour_client.errors import InvalidArgument, MagicHourError
from magic_hour_emulator import Emulator
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows.errors import DownloadFailed
from magic_hour_workflows.events import Created
from worlds import World

pytestmark = pytest.mark.usefixtures("small_pictures")
Options = dict[str, Any]
JOB: Options = {"image_count": 1, "style": {"prompt": "a"}}
OUTSIDE = ("../a", "/a", "a/b", "..", ".", "", "a\\b", "C:a", "a\0b", "~/a", ".hidden/../../a", "a\nb")


def generate(world: World, options: Options, directory: Path, **more: Any) -> list[Path]:
    use = lambda client: client.v1.ai_image_generator.generate(**JOB, download_directory=directory, **more)  # noqa: E731
    paths: list[Path] = world.call(use, **options).downloaded_paths
    return paths


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_sent(
    world: World, options: Options, emulator: Emulator, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidArgument, match="output_name"):
        generate(world, options, tmp_path / "out", output_name=name)
    assert not list(emulator.requests)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("id", ["../../evil", "/evil", "..", "a/../../b", "a\\b", "con", "\u202egnp.exe"])
def test_an_id_of_the_service_leads_nowhere_else(
    world: World, options: Options, emulator: Emulator, tmp_path: Path, id: str
) -> None:
    """The service chooses the id, which becomes part of the path of a URL and of a file."""
    emulator.faults.add("wrong_field", on="create", field="id", value=id)
    emulator.faults.add("wrong_field", on="get", field="id", value=id, times=None)
    out = tmp_path / "a" / "out"
    with pytest.raises(MagicHourError) as caught:
        generate(world, options, out, timeout=1)
    assert caught.value.project_id == id, "it may be paid for"
    assert all(request.path.count("/") <= 3 for request in emulator.requests if request.origin == "api")
    assert set(tmp_path.rglob("*")) <= {tmp_path / "a", out}


def plant(kind: str, target: Path, victim: Path) -> None:
    if kind == "symlink":
        target.symlink_to(victim)
    elif kind == "directory":
        target.mkdir()
    elif kind == "symlink to a directory":
        target.symlink_to(victim.parent, target_is_directory=True)
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        target.write_bytes(b"the user's own")


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("kind", ["symlink", "symlink to a directory", "directory", "pipe", "file"])
def test_what_is_in_the_way_is_neither_followed_nor_replaced(
    world: World, options: Options, tmp_path: Path, kind: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, victim = tmp_path / "out", tmp_path / "elsewhere" / "victim"
    victim.parent.mkdir()
    if not links:
        monkeypatch.setattr(os, "link", _refuse)

    def listener(event: object) -> None:
        if isinstance(event, Created):
            plant(kind, out / "a.png", victim)
            planted.append(os.lstat(out / "a.png"))

    planted: list[os.stat_result] = []
    [path] = generate(world, options, out, output_name="a", on_progress=listener)
    assert path == out / "a (2).png"
    assert stat.S_ISREG(os.lstat(path).st_mode)
    assert not list(victim.parent.iterdir())
    after = os.lstat(out / "a.png")
    assert (after.st_ino, after.st_mode, after.st_size) == (planted[0].st_ino, planted[0].st_mode, planted[0].st_size)
    assert sorted(entry.name for entry in out.iterdir()) == ["a (2).png", "a.png"]


def _refuse(*_: object) -> None:
    raise PermissionError("no hard links on this file system")


def test_a_directory_may_be_a_symlink(world: World, options: Options, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real", target_is_directory=True)
    [path] = generate(world, options, tmp_path / "out", output_name="a")
    assert path == tmp_path / "out" / "a.png"
    assert (tmp_path / "real" / "a.png").stat().st_size > 0


class TestUnfinished:
    """The temporary file: its name cannot be guessed, and an existing file is not written to."""

    def test_its_name_cannot_be_guessed(self, tmp_path: Path) -> None:
        names = {PartialDownload(tmp_path, "a", ".png").path.name for _ in range(100)}
        assert len(names) == 100
        assert all(len(name.split(".")[-2]) >= 12 for name in names), "48 bits or more"

    @pytest.mark.parametrize("kind", ["symlink", "file"])
    def test_what_is_there_is_not_written_to(self, tmp_path: Path, kind: str) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"the user's own")
        partial = PartialDownload(tmp_path, "a", ".png")
        plant(kind, partial.path, victim)
        partial.begin("", 200, {"content-length": "1"})
        with pytest.raises(DownloadFailed):
            partial.write(b"x")
        assert victim.read_bytes() == partial.path.read_bytes() == b"the user's own"


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002, 0o000], ids=oct)
def test_permissions_follow_the_umask(world: World, options: Options, tmp_path: Path, umask: int) -> None:
    with _umask(umask):
        [path] = generate(world, options, tmp_path / "out")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o777 & ~umask


@contextmanager
def _umask(umask: int) -> Iterator[None]:
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)
