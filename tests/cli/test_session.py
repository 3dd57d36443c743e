"""A person at a real terminal: live bars, Ctrl-C, the command that resumes the job; and signals to a process."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from cli.test_money import ended, started
from commands import Run
from magic_hour_emulator import Emulator
from servers import LIMIT_SECONDS, wait_until

PROGRAM = [sys.executable, "-m", "magic_hour_workflows"]
TALK = (
    *("video", "talking-photo", "--image", "portrait.jpg", "--audio", "voice.mp3"),
    *("--start-seconds", "0", "--end-seconds", "1"),
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _ctrl_c_works() -> None:
    """A shell may have set SIGINT to be ignored for its background jobs, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Screen:
    """A terminal with one command running in it."""

    def __init__(self, *arguments: str) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}
        environment.pop("COLUMNS", None)
        self.child = pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], *arguments],
            env=environment,
            dimensions=(30, 150),
            timeout=LIMIT_SECONDS,
            encoding="utf-8",
            preexec_fn=_ctrl_c_works,
        )

    def wait_for(self, *patterns: str) -> str:
        self.child.expect(list(patterns))
        return str(self.child.before) + str(self.child.after)

    def end(self) -> str:
        """What was printed until the command ended, without control sequences."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        return _CONTROL.sub("", str(self.child.before))

    @property
    def code(self) -> int | None:
        return self.child.exitstatus  # type: ignore[no-any-return]


@pytest.fixture
def frozen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A service whose jobs are done when the test says so."""
    with Emulator(token="mhk_test_canary", frozen=True, seed=0) as service:
        monkeypatch.setenv("MAGIC_HOUR_BASE_URL", service.url)
        yield service


def test_bars_then_ctrl_c_then_the_command_that_was_shown(folder: Path, frozen: Emulator) -> None:
    screen = Screen(*TALK, "--output", "clip.mp4")
    before = screen.wait_for("accepted for 48 credits")
    assert "uploading" in before, "files go up under bars"
    assert "━" in before
    assert "━" in screen.wait_for("queued"), "the job has a bar of its own"
    screen.child.sendintr()
    shown = screen.end()
    assert screen.code == 130
    [charge] = frozen.ledger.charges
    last = shown.strip().splitlines()[-1]
    command = f"magic-hour video wait {charge.id} --output clip.mp4"
    assert last == f"magic-hour: interrupted. The video job {charge.id} was accepted; resume it with: {command}"
    assert "Traceback" not in shown
    assert not (folder / "clip.mp4").exists()

    frozen.clock.advance(600)
    again = Screen(*shlex.split(command)[1:])
    rest = again.end()
    assert again.code == 0, rest
    assert "clip.mp4" in rest
    assert (folder / "clip.mp4").read_bytes()[4:8] == b"ftyp"
    assert len(frozen.ledger.creates) == 1


def test_sigterm(folder: Path, frozen: Emulator) -> None:
    """Ctrl-C at the same moment is above, with a terminal."""
    process = started(folder, *TALK, "--format", "json")
    wait_until(lambda: (folder / "stderr").exists() and "accepted" in (folder / "stderr").read_text())
    process.send_signal(signal.SIGTERM)
    code, out, err = ended(process, folder)
    assert code == 143
    [charge] = frozen.ledger.charges
    assert "terminated" in err
    assert f"magic-hour video wait {charge.id}" in err
    assert "Traceback" not in err
    error = json.loads(out)["error"]
    assert (error["project_id"], error["exit_code"]) == (charge.id, 143)


def test_a_question_before_deleting(run: Run, emulator: Emulator) -> None:
    made = run("image", "generate", "--image-count", "1", "--prompt", "x", "--no-wait")
    screen = Screen("image", "delete", made.out.strip())
    screen.wait_for(r"\[y/N\] ")
    screen.child.sendline("n")
    assert "not deleted" in screen.end()
    assert screen.code == 1
    assert not emulator.requests.find(method="DELETE")
