"""`make log-kills`: plain programs killed at random moments; the job log has every job that was charged, and saves it.

    python tests/kill/log_kills.py --kills 200 --seed 0

The ledger of the emulator is the judge. Where the program dies before it has the answer to its create, the log cannot
have the id: it has the name, and the judge does what a person would, who finds the id in the web app.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import attrs

from kill.killing import PATIENCE_SECONDS, environment, final_files, moment, outputs_of, slow_down, until
from kill.program import jobs, plain
from magic_hour_emulator import Emulator, samples
from magic_hour_workflows._job_log.entries import Entry
from magic_hour_workflows._job_log.store import read
from programs import Program

KINDS = ("sync", "async")
LOG = "jobs.jsonl"
_EARLY = 0.4
"""The share of a program's life around its create, in which half of the kills fall: most of it is downloads."""


@attrs.define
class Killed:
    """What a killed program left in the job log: the state of its entry, and what is wrong."""

    state: str = "nothing"
    accepted: int = 0
    problems: list[str] = attrs.field(factory=list)

    def check(self, good: object, problem: str) -> None:
        if not good:
            self.problems.append(problem)


def undisturbed(emulator: Emulator, kind: str, folder: Path) -> float:
    """How long the program runs after its first request if nobody kills it."""
    slow_down(emulator)
    with _started(emulator, kind, folder) as program:
        until(lambda: len(emulator.requests) > 0, program)
        began = time.monotonic()
        code = program.wait(PATIENCE_SECONDS)
    if code != 0:
        raise AssertionError(f"it fails without a kill too: {(folder / 'printed').read_text()}")
    return time.monotonic() - began


def kill_after(emulator: Emulator, kind: str, seconds: float, folder: Path) -> Killed:
    """Start the program, kill it `seconds` after its first request (before it, if negative), and judge."""
    slow_down(emulator)
    with _started(emulator, kind, folder) as program:
        if seconds >= 0:
            until(lambda: len(emulator.requests) > 0, program)
        time.sleep(abs(seconds))
        program.send_signal(signal.SIGKILL)
        program.wait(PATIENCE_SECONDS)
    emulator.faults.clear()
    # A request that was on its way when the program died is still carried out, or not; both end soon.
    until(lambda: all(request.status is not None for request in emulator.requests.find(method="POST")), patience=1)
    return judge(emulator, folder)


def kill_at(emulator: Emulator, kind: str, point: str, folder: Path) -> Killed:
    """Let the program kill itself at a point, and judge."""
    emulator.reset()
    with _started(emulator, kind, folder, point) as program:
        code = program.wait(PATIENCE_SECONDS)
    killed = judge(emulator, folder)
    killed.check(code == -signal.SIGKILL, f"it exited by itself with {code}: {(folder / 'printed').read_text()}")
    return killed


def judge(emulator: Emulator, folder: Path) -> Killed:
    """Compare the log with the ledger, then resume what it has."""
    creates, entries = emulator.ledger.creates, list(read(folder / LOG).entries.values())
    killed = Killed(accepted=len(creates))
    killed.check(len(creates) <= 1, f"{len(creates)} creates were accepted")
    killed.check(len(entries) <= 1, f"{len(entries)} entries")
    if entries:
        killed.state = str(entries[0].state)
    if not creates:
        killed.check(not entries or entries[0].id is None, "an id from nowhere")
        return killed
    if not entries:
        killed.check(False, "charged, and not in the log")
        return killed
    [create], [entry] = creates, entries
    killed.check(entry.name == create.name, f"it is called {entry.name!r}, not {create.name!r}")
    killed.check(entry.estimate is not None and entry.estimate >= create.credits, "it is estimated too low")
    _save(emulator, killed, entry, create.id, folder)
    return killed


def _save(emulator: Emulator, killed: Killed, entry: Entry, id: str, folder: Path) -> None:
    if entry.id is None:
        code = _command(emulator, folder, "settle", str(entry.name), "--project", id)
        killed.check(code == 0, f"settling exited with {code}")
    else:
        killed.check(entry.id == id, f"its id is {entry.id!r}, not {id!r}")
    code = _command(emulator, folder, "resume", "--timeout", str(PATIENCE_SECONDS))
    killed.check(code == 0, f"resuming exited with {code}")
    saved = list(final_files(folder).values())
    killed.check(all(output in saved for output in outputs_of(emulator, id)), "not all outputs are saved")
    [left] = read(folder / LOG).entries.values()
    killed.check(left.state == "saved", f"at the end it is {left.state}")
    killed.check(len(emulator.ledger.charges) == 1, "resuming was charged")
    text = (folder / LOG).read_text() + (folder / "printed").read_text()
    killed.check(emulator.token not in text and "signature" not in text, "a secret was written")


def _command(emulator: Emulator, folder: Path, *words: str) -> int:
    with Program(jobs, folder, *words, environment=_environment(emulator, folder), out=folder / "printed") as program:
        return program.wait(PATIENCE_SECONDS)


def _started(emulator: Emulator, kind: str, folder: Path, point: str | None = None) -> Program:
    arguments = (folder, kind, str(samples.portrait()), point)
    return Program(plain, *arguments, environment=_environment(emulator, folder), out=folder / "printed")


def _environment(emulator: Emulator, folder: Path) -> dict[str, str]:
    return {**environment(emulator), "MAGIC_HOUR_JOB_LOG": os.fspath(folder / LOG)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill plain programs with SIGKILL and compare their job log.")
    parser.add_argument("--kills", type=int, default=200, help="how many programs")
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    given = parser.parse_args()
    chance, lengths = random.Random(given.seed), dict[str, float]()
    states: Counter[tuple[str, str]] = Counter()
    problems: list[str] = []
    began = time.monotonic()
    with Emulator(token="mhk_test_canary", speed=10, seed=given.seed) as emulator:
        for number in range(given.kills):
            kind = KINDS[number % len(KINDS)]
            with tempfile.TemporaryDirectory() as folder:
                if kind not in lengths:
                    lengths[kind] = undisturbed(emulator, kind, Path(folder))
            with tempfile.TemporaryDirectory() as folder:
                length = lengths[kind] * chance.choice((_EARLY, 1.0))
                killed = kill_after(emulator, kind, moment(chance, length), Path(folder))
            states[killed.state, "charged" if killed.accepted else "not charged"] += 1
            problems += [f"kill {number}, {kind}: {problem}" for problem in killed.problems]
    print(f"{given.kills} kills in {time.monotonic() - began:.0f} s, seed {given.seed}")
    for (state, charged), count in sorted(states.items()):
        print(f"  {count:>5}  {charged:<11}  in the log: {state}")
    print("\n".join(problems) or "Every charged job was in the log, and was resumed and saved.")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
