"""The environment of the vendor's SDK is made once, made again when it has to be, and never half made.

When it is made is decided without making it; two tests make real ones, from no package index.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vendor import environment
from vendor.environment import PINS, NotInstalledError, provide, python_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    pins = tmp_path / "pins.txt"
    pins.write_text("# nothing\n")
    return pins


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making an environment takes a moment, in which another one could begin."""

    def make(folder: Path, pins: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        python_of(folder).parent.mkdir(parents=True)
        time.sleep(0.1)
        python_of(folder).touch()

    monkeypatch.setattr(environment, "_make", make)


def test_every_pin_is_exact_and_names_no_place() -> None:
    lines = [line for line in PINS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert "magic_hour==0.90.0" in lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_-]+==[0-9.]+", line)] == []


@pytest.mark.usefixtures("quick")
def test_two_that_start_together_make_it_once(tmp_path: Path, pins: Path) -> None:
    start = threading.Barrier(2)

    def worker(_: int) -> bool:
        start.wait()
        return provide(tmp_path / "environment", pins)

    with ThreadPoolExecutor(2) as workers:
        assert sorted(workers.map(worker, range(2))) == [False, True]
    assert python_of(tmp_path / "environment").exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder, pins: pins.write_text("# other\n"), id="other-pins"),
        pytest.param(lambda folder, pins: stamp(folder, "3.", "2."), id="other-python"),
        pytest.param(lambda folder, pins: (folder / "stamp").unlink(), id="cut-short"),
    ],
)
def test_it_is_made_anew(tmp_path: Path, pins: Path, change: Callable[[Path, Path], object]) -> None:
    folder = tmp_path / "environment"
    assert provide(folder, pins)
    assert not provide(folder, pins)
    (folder / "left-over").touch()
    change(folder, pins)

    assert provide(folder, pins)
    assert not (folder / "left-over").exists()


def test_what_cannot_be_installed_is_named(tmp_path: Path, pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pins.write_text("magic_hour==0.90.0\n")

    for _ in range(2):  # and what failed does not count as done
        with pytest.raises(NotInstalledError, match=r"magic_hour==0\.90\.0 .* could not be installed") as problem:
            provide(tmp_path / "environment", pins)
        assert "No matching distribution found" in str(problem.value)
        assert "://" not in str(problem.value)


def test_a_package_that_the_pins_forgot_is_named(tmp_path: Path, pins: Path) -> None:
    pins.write_text(f"{wheel(tmp_path, needs='forgotten')}\n")

    with pytest.raises(NotInstalledError, match="requires forgotten, which is not installed"):
        provide(tmp_path / "environment", pins)


def wheel(folder: Path, needs: str) -> Path:
    """A package with nothing in it that needs another one."""
    path = folder / "lonely-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        about = "lonely-1.0.dist-info"
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: lonely\nVersion: 1.0\nRequires-Dist: {needs}\n"
        )
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def stamp(folder: Path, old: str, new: str) -> None:
    """As the environment of another Python would say it."""
    path = folder / "stamp"
    path.write_text(path.read_text().replace(old, new, 1))
