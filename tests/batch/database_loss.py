"""Removes, replaces, damages or fills the database of a running batch at random moments.

    PYTHONPATH=tests python -m batch.database_loss --runs 200 --seed 0

Rule: the batch is not trusted. The ledger of the emulator has the charged jobs: each id must be on stderr, in a side
file or in the table, a run whose database is lost must not succeed, and no later run charges a row again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batch.local_batch import LocalBatch, image_rows
from magic_hour_client.errors import MagicHourError
from magic_hour_emulator import Emulator
from magic_hour_workflows.batch import _database as database
from magic_hour_workflows.batch import _submission as submission
from magic_hour_workflows.batch._rows import RowStatus
from magic_hour_workflows.batch._side_file import SUFFIX, read

ROWS = 6
Damage = Callable[[Path, random.Random], None]


def _files(path: Path) -> list[Path]:
    """The database and the files that SQLite has next to it."""
    return [path.with_name(path.name + end) for end in ("", "-wal", "-shm") if Path(f"{path}{end}").exists()]


def remove(path: Path, _: random.Random) -> None:
    for one in _files(path):
        one.unlink()


def remove_only_itself(path: Path, _: random.Random) -> None:
    path.unlink()


def move(path: Path, _: random.Random) -> None:
    path.with_name("elsewhere").mkdir(exist_ok=True)
    for one in _files(path):
        one.rename(path.with_name("elsewhere") / one.name)


def replace_with_nothing(path: Path, _: random.Random) -> None:
    remove(path, _)
    path.touch()


def replace_with_another(path: Path, _: random.Random) -> None:
    remove(path, _)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE notes (text)")


def replace_with_an_older_one(path: Path, _: random.Random) -> None:
    older = path.with_name("older")
    remove(path, _)
    shutil.copyfile(older, path)


def truncate(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.choice((0, 100, 4096, path.stat().st_size // 2)))


def overwrite(path: Path, chance: random.Random) -> None:
    with open(path, "r+b") as file:
        file.write(chance.randbytes(8192))


FILES: tuple[Damage, ...] = (
    *(remove, remove_only_itself, move, replace_with_nothing, replace_with_another),
    *(replace_with_an_older_one, truncate, overwrite),
)
REFUSALS: dict[str, Exception] = {
    "read-only": sqlite3.OperationalError("attempt to write a readonly database"),
    "full": sqlite3.OperationalError("database or disk is full"),
    "broken": sqlite3.OperationalError("disk I/O error"),
    "a value refused": sqlite3.DataError("no such value"),
}


class DatabaseLoss:
    """One run that loses its database, and the runs after it."""

    def __init__(self, emulator: Emulator, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.local = LocalBatch(emulator, folder)
        self.what: Any = self.chance.choice((*FILES, *REFUSALS))
        self.problems: list[str] = []
        self.said = io.StringIO()
        self._events = self.chance.randint(1, 4 * ROWS)
        self._done = threading.Event()

    def play(self) -> list[str]:
        """Run, damage, judge, run again; returns the problems."""
        self.local.emulator.faults.add("delay", on="create", phase="after", seconds=0.02, times=None)
        with contextlib.redirect_stderr(self.said), self._refusing():
            error = self._run(self._event)
        lost = self.what in FILES and self._done.is_set()
        ledger = {create.id: str(create.name) for create in self.local.emulator.ledger.creates}
        told = self._told()
        unreported = [id for id, name in ledger.items() if id not in told and name not in told]
        if unreported:
            self.problems.append(f"charged, and reported nowhere: {unreported}")
        if lost and error is None and not self._table():
            self.problems.append("the database is lost, and the run ended as if all were well")
        self._run_again()
        if twice := [name for name, times in self.local.charged.items() if times > 1]:
            self.problems.append(f"charged twice: {twice}")
        return self.problems

    def _run(self, on_event: Any = None) -> Exception | None:
        try:
            self.local.run(image_rows(ROWS), concurrency=3, on_event=on_event)
        except Exception as error:  # noqa: BLE001  (every end is judged)
            return error
        return None

    def _event(self, *_: object) -> None:
        self._events -= 1
        if self._events == 20 or (self._events > 0 and not self.local.folder.joinpath("older").exists()):
            self._copy()
        if self._events == 0:
            self._done.set()
            if self.what in FILES:
                with contextlib.suppress(OSError):
                    self.what(self.local.database, self.chance)

    def _copy(self) -> None:
        with (
            contextlib.closing(sqlite3.connect(self.local.database)) as source,
            contextlib.closing(sqlite3.connect(self.local.folder / "older")) as target,
        ):
            source.backup(target)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """The errors of SQLite, from some moment on, permanently or for some attempts."""
        make, pause, tries = database.connect, submission._WRITE_PAUSE, submission._WRITE_TRIES
        left = [self.chance.choice((2, 10_000))]

        def connect(url: str) -> sa.Engine:
            engine = make(url)

            @sa.event.listens_for(engine, "commit")
            def refuse(_: object) -> None:
                if self.what in REFUSALS and self._done.is_set() and left[0] > 0:
                    left[0] -= 1
                    error = REFUSALS[self.what]
                    kind = sa.exc.DataError if isinstance(error, sqlite3.DataError) else sa.exc.OperationalError
                    raise kind("COMMIT", {}, error)

            return engine

        database.connect, submission._WRITE_PAUSE, submission._WRITE_TRIES = connect, 0.02, 5  # type: ignore[assignment]
        try:
            yield
        finally:
            database.connect, submission._WRITE_PAUSE, submission._WRITE_TRIES = make, pause, tries  # type: ignore[assignment]

    def _told(self) -> set[str]:
        """The ids and names on stderr, in side files or in a table, wherever that is now."""
        notes = read([*self.local.folder.glob(f"*{SUFFIX}"), *self.local.output.glob(f"*{SUFFIX}")])
        told = {note.project_id for note in notes if note.project_id} | {n.name for n in notes if not n.project_id}
        told |= {word.strip("',()") for word in self.said.getvalue().split()}
        return told | set(self._table())

    def _table(self) -> list[str]:
        """Ids of rows, and names of those without one."""
        found: list[str] = []
        for path in (self.local.database, self.local.folder / "elsewhere" / self.local.database.name):
            if path.exists():
                with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as connection:
                    found += [id or name for id, name in connection.execute("SELECT project_id, name FROM paid")]
        return found

    def _run_again(self) -> None:
        """The same command, then what its message asks for, until every row is saved or doubtful."""
        moved = self.local.folder / "elsewhere"
        for attempt in range(4):
            with contextlib.redirect_stderr(io.StringIO()):
                error = self._run()
            if error is None:
                with contextlib.suppress(MagicHourError):
                    if set(self.local.statuses().values()) <= {RowStatus.SAVED, RowStatus.DOUBTFUL}:
                        return
                continue
            if moved.exists() and attempt == 0 and self.chance.random() < 0.5:
                remove(self.local.database, self.chance) if self.local.database.exists() else None
                for one in moved.iterdir():
                    one.replace(self.local.database.with_name(one.name))
            else:
                for one in (
                    *_files(self.local.database),
                    self.local.database.with_name(f"{self.local.database.name}.lock"),
                ):
                    one.unlink(missing_ok=True)
        self.problems.append(f"it never came to an end: {error!r}")


def played(seed: int, emulator: Emulator) -> tuple[str, list[str]]:
    """One seed: what happened to the database, and the problems."""
    emulator.reset()
    with tempfile.TemporaryDirectory() as folder:
        lost = DatabaseLoss(emulator, Path(folder), seed)
        problems = lost.play()
        name = lost.what if isinstance(lost.what, str) else lost.what.__name__.replace("_", " ")
        return name, [*problems, *([lost.said.getvalue()] if problems else [])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began, broken, kinds = time.monotonic(), 0, Counter[str]()
    with Emulator(token="mhk_test_lost", speed=50, seed=0) as emulator:
        for seed in range(options.seed, options.seed + options.runs):
            name, problems = played(seed, emulator)
            kinds[name] += 1
            broken += bool(problems)
            if problems:
                print(f"seed {seed}: {name}", *problems, sep="\n  ", flush=True)
    print(*(f"{times:>5} {name}" for name, times in sorted(kinds.items())), sep="\n")
    print(f"lost databases: {options.runs} runs, {broken} broken, {time.monotonic() - began:.0f} s")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
