"""The program that is killed: a batch in a directory, the same one each time it is started.

Rule: it does what a user's program does, and nothing to survive. With a point, it ends itself there with SIGKILL;
    without
one, somebody else kills it. It creates a file once a job is being submitted.

    main(["FOLDER", "ROWS", "CONCURRENCY", "--point", "POINT", "--pass", "N", "--unguarded"])
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from batch.local_batch import edit_row, image_row
from magic_hour_emulator import samples
from magic_hour_workflows import _partial_download as files
from magic_hour_workflows._flows import submit
from magic_hour_workflows.batch._batch import Batch
from magic_hour_workflows.batch._claims import Claim, Claims
from magic_hour_workflows.batch._output_dir import OutputDir
from magic_hour_workflows.batch._rows import RowStatus
from magic_hour_workflows.batch._store import Store

DATABASE = "rows.batch.sqlite"
OUTPUT = "out"
SAID = "said"
KILL_POINTS: dict[str, tuple[Any, str, bool]] = {
    "before the claim": (Claims, "claim", False),
    "claimed, not sent": (Claims, "claim", True),
    "answered, id not told": (submit, "publish", False),
    "id told, not written down": (Claims, "accepted", False),
    "id written down": (Claims, "accepted", True),
    "while downloading": (files.PartialDownload, "write", True),
    "saved, no final name": (OutputDir, "_named", False),
    "final name, not written down": (OutputDir, "_named", True),
    "written down, engine not told": (Store, "finish", True),
}
"""Where the program can end itself: before or after (True) a call of a function."""


def die_at(point: str, number: int) -> None:
    """Arrange to die at the `number`th pass of a point."""
    home, name, afterwards = KILL_POINTS[point]
    function, passes = getattr(home, name), count(1)

    def dying(*arguments: Any, **keywords: Any) -> Any:
        last = next(passes) == number
        result = None if last and not afterwards else function(*arguments, **keywords)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(home, name, dying)


def unguarded() -> None:
    """Remove the guard: everybody may submit, as with an engine that runs each step at least once."""
    claims: Any = Claims
    claims.claim = lambda *_, **__: Claim.GRANTED
    claims.job_of = lambda *_: None
    claims.accepted = lambda *_: True


def say_begun(folder: Path) -> None:
    """Create a file when the first job is about to be submitted."""
    claims: Any = Claims
    claim: Callable[..., Any] = claims.claim

    def claiming(*arguments: Any, **keywords: Any) -> Any:
        (folder / SAID).touch()
        return claim(*arguments, **keywords)

    claims.claim = claiming


def rows(number: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Jobs that are named after their rows; some have a file."""
    keys = [f"row-{index:04}" for index in range(number)]
    return [image_row(key) if index % 4 else edit_row(key, samples.portrait()) for index, key in enumerate(keys)]


def batch(folder: Path, number: int | None = None, **options: Any) -> Batch:
    """The batch in a folder."""
    given = None if number is None else rows(number)
    return Batch(given, output=folder / OUTPUT, database=folder / DATABASE, poll_interval=0.05, **options)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("concurrency", type=int)
    parser.add_argument("--point", choices=list(KILL_POINTS))
    parser.add_argument("--pass", type=int, default=1, dest="number")
    parser.add_argument("--unguarded", action="store_true")
    given = parser.parse_args(arguments)
    if given.unguarded:
        unguarded()
    say_begun(given.folder)
    if given.point:
        die_at(given.point, given.number)
    with batch(given.folder, given.rows, concurrency=given.concurrency) as work:
        for row in work.run():
            print(row.key, row.status, row.error or "", flush=True)
        counts = work.summary().counts
        return int(bool(set(counts) - {RowStatus.SAVED, RowStatus.DOUBTFUL}))
