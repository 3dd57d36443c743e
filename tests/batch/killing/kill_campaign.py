"""Kills a batch again and again, restarts it each time, and judges the result.

Rule: the SDK is not trusted. The ledger shows what was charged for which row, since every job is named after its row.
    The
SDK only has to finish, and to report which rows are doubtful.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from PIL import Image

from batch.killing.program import OUTPUT, SAID, batch, main
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
        self.check(not self.twice, f"charged twice: {self.twice}")
        known = {row.id for row in results}
        lost = [
            one.name for one in self.emulator.ledger.creates if one.id not in known and one.name not in self.doubtful
        ]
        self.check(not lost, f"jobs that no row knows of: {lost}")
        for row in results:
            self.check(row.status in (RowStatus.SAVED, RowStatus.DOUBTFUL), f"{row.key} is {row.status}: {row.error}")
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
        return Program(main, arguments, environment=settings, out=self.folder / "output.txt")

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
