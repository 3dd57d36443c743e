"""A batch at a real terminal: the live panel, Ctrl-C once and twice, SIGTERM; and resuming with the printed command."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from cli.test_money import ended, started
from cli.test_session import PROGRAM, Screen
from magic_hour_emulator import Emulator
from servers import LIMIT_SECONDS, wait_until

ROWS = 6
AT_A_TIME = 2
COMMAND = ("batch", "run", "foxes.csv", "--output", "out", "--concurrency", str(AT_A_TIME))


@pytest.fixture
def frozen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A service whose jobs are done when the test says so, and a manifest."""
    lines = [f"fox-{n},ai_image_generator,1,A red fox\n" for n in range(1, ROWS + 1)]
    (folder / "foxes.csv").write_text("key,endpoint,image_count,style.prompt\n" + "".join(lines), encoding="utf-8")
    with Emulator(token="mhk_test_canary", frozen=True, seed=0) as service:
        monkeypatch.setenv("MAGIC_HOUR_BASE_URL", service.url)
        yield service


def rest_of(screen: Screen, service: Emulator) -> str:
    """What is shown until the command ends, while the service's time passes."""
    shown = ""
    while screen.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=0.2):
        service.clock.advance(60)
    shown += screen.end() if screen.child.isalive() else str(screen.child.before)
    screen.child.close()
    return shown


def resume_command(shown: str) -> tuple[str, ...]:
    [line] = [line for line in shown.splitlines() if "resume with: magic-hour" in line]
    return tuple(shlex.split(line.partition("resume with: magic-hour ")[2]))


def all_saved(folder: Path) -> bool:
    rows = map(json.loads, (folder / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines())
    return [row["status"] for row in rows] == ["saved"] * ROWS


def test_ctrl_c_once_waits_for_what_is_paid_for(folder: Path, frozen: Emulator) -> None:
    screen = Screen(*COMMAND)
    screen.wait_for("0 of 6")
    assert "━" in screen.wait_for("queued 2")
    screen.child.sendintr()
    screen.wait_for("interrupted: no more jobs are submitted; waiting for those in progress; Ctrl-C again stops")
    shown = rest_of(screen, frozen)
    assert screen.code == 130, shown
    assert len(frozen.ledger.creates) == AT_A_TIME
    assert "4 waiting, 2 saved" in shown
    assert "4 rows are left; no job is lost; resume with: " in shown
    assert (folder / "out" / "report.html").is_file()

    again = Screen(*resume_command(shown))
    rest = rest_of(again, frozen)
    assert again.code == 0, rest
    assert all_saved(folder)
    assert len(frozen.ledger.creates) == ROWS


def test_ctrl_c_twice_stops_now_and_loses_nothing(folder: Path, frozen: Emulator) -> None:
    screen = Screen(*COMMAND)
    screen.wait_for("queued 2")
    screen.child.sendintr()
    screen.wait_for("no more jobs are submitted")
    screen.child.sendintr()
    shown = screen.end()
    assert screen.code == 130, shown
    assert "Traceback" not in shown
    assert "4 waiting, 2 running" in shown, "time stands still: nothing can have been saved"
    assert len(frozen.ledger.creates) == AT_A_TIME

    again = Screen(*resume_command(shown))
    rest = rest_of(again, frozen)
    assert again.code == 0, rest
    assert all_saved(folder)
    assert len(frozen.ledger.creates) == ROWS


def test_a_service_manager_ends_it_at_once(folder: Path, frozen: Emulator) -> None:
    process = started(folder, *COMMAND, "--verbose", "--format", "json")
    said = folder / "stderr"
    wait_until(lambda: said.exists() and said.read_text().count("accepted") >= AT_A_TIME)
    process.send_signal(signal.SIGTERM)
    code, out, err = ended(process, folder)
    assert code == 143, err
    assert "Traceback" not in err
    *_, summary = map(json.loads, out.splitlines())
    assert (summary["exit_code"], summary["counts"]["running"], summary["counts"]["waiting"]) == (143, 2, 4)
    assert resume_command(err)[0] == "batch"


def test_events_reach_a_file_while_the_panel_is_drawn(folder: Path, frozen: Emulator) -> None:
    words = shlex.join([*PROGRAM, *COMMAND, "--format", "json"])
    child = pexpect.spawn(
        "bash",
        ["-c", f"{words} > events"],
        env={**os.environ, "TERM": "xterm-256color"},
        dimensions=(30, 150),
        timeout=LIMIT_SECONDS,
        encoding="utf-8",
    )
    child.expect("queued 2")
    while child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=0.2):
        frozen.clock.advance(60)
    child.close()
    kinds = [json.loads(line)["event"] for line in (folder / "events").read_text(encoding="utf-8").splitlines()]
    assert kinds == ["plan", *["row"] * ROWS, "summary"]
