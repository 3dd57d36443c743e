"""A person at a terminal: commands in this process, with the emulator as the service and a folder with two files."""

from __future__ import annotations

import io
import logging
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Ended, Run
from magic_hour_emulator import Emulator
from magic_hour_workflows.cli import main


@pytest.fixture
def folder(
    tmp_path: Path,
    emulator: Emulator,
    portrait: Path,
    voice: Path,
    small_pictures: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The current folder, with the files of the examples; and the environment that the emulator prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGIC_HOUR_API_KEY", emulator.token)
    monkeypatch.setenv("MAGIC_HOUR_BASE_URL", emulator.url)
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "0.02")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.with_name(f"{tmp_path.name}-state")))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("portrait.jpg", "room.jpg"):
        shutil.copy(portrait, tmp_path / name)
    shutil.copy(voice, tmp_path / "voice.mp3")
    return tmp_path


@pytest.fixture
def run(folder: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command and checks that it leaves the process as it was."""

    def run(*arguments: str) -> Ended:
        capfd.readouterr()
        before = (list(logging.getLogger("magic_hour_workflows").handlers), list(warnings.filters))
        code = main(arguments)
        assert (logging.getLogger("magic_hour_workflows").handlers, warnings.filters) == before
        captured = capfd.readouterr()
        assert "mhk_test_canary" not in captured.out + captured.err, "the key was printed"
        assert "signature" not in captured.out + captured.err, "a signature was printed"
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[float]]:
    """Sets the content of stdin after the wait of settling, which is skipped; returns the skipped waits."""

    def answer(text: str) -> list[float]:
        from magic_hour_workflows.batch import (
            _settling as settling,  # with the engine, which few of the tests here need
        )

        waited: list[float] = []

        def wait(seconds: float, on_wait: Callable[[float], object]) -> None:
            on_wait(seconds)
            waited.append(seconds)
            monkeypatch.setattr(sys, "stdin", io.StringIO(text))

        monkeypatch.setattr(settling, "wait", wait)
        monkeypatch.setattr(sys, "stdin", None)
        return waited

    return answer
