"""Kills a batch again and again, restarts it each time, and judges the result. At length: `make batch-kills`.

Rule: the SDK is not trusted. The ledger shows what was charged for which row, since every job is named after its row.
    The
SDK only has to finish, and to report which rows are doubtful.
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from PIL import Image

from batch.killing.program import OUTPUT, SAID, batch
from batch.killing.program import main as killed_program
from batch.local_batch import broken_promises
from magic_hour_emulator import Emulator
from magic_hour_workflows.batch import _settling as settling
from magic_hour_workflows.batch._rows import RowStatus
from programs import Program

PATIENCE_SECONDS = 120.0


@attrs.define
class Campaign:
    """One batch that is killed often.

    Attributes:
        doubtful: rows that were doubtful at the end.
        twice: rows that were charged more than once.
        problems: the broken promises; there should be none.
    """

    emulator: Emulator
    folder: Path
    rows: int
    concurrency: int
    guarded: bool = True
    kills: int = 0
    doubtful: list[str] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)

    def kill_at(self, point: str, number: int = 1) -> None:
        """Let the program kill itself when it passes a point."""
        with self._started("--point", point, "--pass", str(number)) as program:
            code = program.wait(PATIENCE_SECONDS)
        self.kills += 1
        self.check(code == -signal.SIGKILL, f"{point}: it ended by itself, with {code}: {self._said()}")

    def kill_when(self, reached: Callable[[], bool]) -> None:
        """Kill the program once a condition is met."""
        with self._started() as program:
            self._until(reached, program)
            self._kill(program)

    def kill_after(self, seconds: float) -> bool:
        """Kill the program this long after its first submission (its start, if negative); False if it had ended."""
        (self.folder / SAID).unlink(missing_ok=True)
        with self._started() as program:
            if seconds >= 0:
                self._until((self.folder / SAID).exists, program)
            time.sleep(abs(seconds))
            return self._kill(program)

    def finish(self) -> None:
        """Run it until it ends, judge, settle doubtful rows, and check that everything is saved then."""
        self.run()
        at_rest = len(self.emulator.ledger.creates)
        results = batch(self.folder).results()
        self.doubtful = [row.key for row in results if row.status is RowStatus.DOUBTFUL]
        most = self.concurrency * self.kills
        self.check(len(self.doubtful) <= most, f"{len(self.doubtful)} rows are in doubt, more than {most}")
        self.problems += broken_promises(results, [(job.id, str(job.name)) for job in self.emulator.ledger.creates])
        for row in results:
            if row.status is RowStatus.DOUBTFUL:
                self.check(row.key in (row.error or "") and "charged" in (row.error or ""), f"it says: {row.error}")
        self._settle()
        self.run()
        self.check(not self.twice, f"charged twice after settling: {self.twice}")
        charged = len(self.emulator.ledger.creates) - at_rest
        self.check(charged <= len(self.doubtful), f"{charged} more jobs after settling {len(self.doubtful)}")
        self._judge_files()

    @property
    def twice(self) -> list[str]:
        """The rows that were charged more than once."""
        creates = Counter(str(create.name) for create in self.emulator.ledger.creates)
        return sorted(name for name, times in creates.items() if times > 1)

    def check(self, good: object, problem: str) -> None:
        if not good:
            self.problems.append(problem)

    def _settle(self) -> None:
        """Look up the doubtful rows by name, as a person does in the web app."""
        jobs = {str(create.name): create.id for create in self.emulator.ledger.creates}
        for key in self.doubtful:
            if key in jobs:
                batch(self.folder).settle(key, project_id=jobs[key])
            else:
                with (
                    pytest.MonkeyPatch.context() as patch
                ):  # the killed process has nothing on its way to a local service
                    patch.setattr(settling, "WAIT_SECONDS", 0.0)
                    batch(self.folder).settle(key, not_charged=lambda name: True)

    def _judge_files(self) -> None:
        results = batch(self.folder).results()
        paths = [path for row in results for path in row.paths]
        unsaved = {row.key: row.status for row in results if row.status is not RowStatus.SAVED}
        self.check(not unsaved, f"not saved: {unsaved}")
        self.check(len(set(paths)) == self.rows, f"{len(set(paths))} files of {self.rows} rows")
        self.check(
            sorted((self.folder / OUTPUT).iterdir()) == sorted(paths), "there are other files beside the outputs"
        )
        for path in paths:
            with Image.open(path) as picture:
                picture.load()

    def run(self) -> None:
        """Run it without disturbance."""
        with self._started() as program:
            code = program.wait(PATIENCE_SECONDS)
        self.check(code == 0, f"undisturbed it ended with {code}: {self._said()}")

    def _kill(self, program: Program) -> bool:
        program.send_signal(signal.SIGKILL)
        killed = program.wait(PATIENCE_SECONDS) == -signal.SIGKILL
        self.kills += killed
        return killed

    def _started(self, *options: str) -> Program:
        guard = [] if self.guarded else ["--unguarded"]
        arguments = [str(self.folder), str(self.rows), str(self.concurrency), *guard, *options]
        settings = {"MAGIC_HOUR_API_KEY": self.emulator.token, "MAGIC_HOUR_BASE_URL": self.emulator.url}
        return Program(killed_program, arguments, environment=settings, out=self.folder / "output.txt")

    def _said(self) -> str:
        return (self.folder / "output.txt").read_text()[-2000:]

    def _until(self, condition: Callable[[], bool], program: Program) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition() and time.monotonic() < until and program.poll() is None:
            time.sleep(0.002)


def slow(emulator: Emulator) -> None:
    """Delay every create before and after it is accepted, so that random kills can hit it."""
    emulator.faults.add("delay", on="create", seconds=0.1, times=None)
    emulator.faults.add("delay", on="create", phase="after", seconds=0.1, times=None)


def killed_often(campaign: Campaign, kills: int, chance: random.Random, longest: float) -> None:
    """Kill it at random moments, mostly at work, sometimes during its start."""
    for _ in range(kills):
        seconds = -chance.uniform(0, 2) if chance.random() < 0.1 else chance.uniform(0, longest)
        if not campaign.kill_after(seconds):
            return


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill a batch with SIGKILL, start it again, and judge what is left.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    parser.add_argument("--only", choices=["guarded", "unguarded"], help="one of the two")
    given = parser.parse_args()
    print(f"{'':12}{'kills':>8}{'accepted':>10}{'twice':>8}{'doubtful':>10}{'broken':>8}{'seconds':>9}")
    broken = False
    with Emulator(token="mhk_test_canary", speed=10, seed=given.seed) as emulator:
        for guarded in (True, False):
            if given.only not in (None, "guarded" if guarded else "unguarded"):
                continue
            emulator.reset()
            slow(emulator)
            with tempfile.TemporaryDirectory() as folder:
                campaign = Campaign(emulator, Path(folder), given.rows, given.concurrency, guarded)
                broken |= report(campaign, given)
    return int(broken)


def report(campaign: Campaign, given: argparse.Namespace) -> bool:
    """Kill it this often and print a line; returns whether the result is wrong."""
    began = time.monotonic()
    # Long enough for each life to process about its share of the rows.
    longest = 2 * 0.5 * given.rows / given.concurrency / given.kills
    killed_often(campaign, given.kills, random.Random(given.seed), longest)
    if campaign.guarded:
        campaign.finish()
    else:
        campaign.run()
        campaign.problems.clear()
    accepted, twice = len(campaign.emulator.ledger.creates), campaign.twice
    numbers = f"{campaign.kills:8}{accepted:10}{len(twice):8}{len(campaign.doubtful):10}{len(campaign.problems):8}"
    name = "guarded" if campaign.guarded else "no guard"
    print(f"{name:12}{numbers}{time.monotonic() - began:9.1f}", flush=True)
    for problem in campaign.problems:
        print(f"  {problem}")
    if campaign.guarded:
        return bool(campaign.problems)
    if not twice:
        print("  without the guard nothing was charged twice: there were too few kills to show anything")
    return not twice


if __name__ == "__main__":
    raise SystemExit(main())
