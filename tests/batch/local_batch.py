"""Batches for tests: jobs are named after their rows, so that the ledger shows which row was charged.

Rule: one way to run a batch for sync, asyncio and trio; a scenario is written once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import anyio

from magic_hour_emulator import Emulator
from magic_hour_workflows.batch._batch import Batch
from magic_hour_workflows.batch._fleet import Session, StopSignal
from magic_hour_workflows.batch._output_dir import OutputDir
from magic_hour_workflows.batch._row_workflow import Steps
from magic_hour_workflows.batch._rows import Row, RowResult, RowStatus
from magic_hour_workflows.batch._side_file import SideFile
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.batch._submission import Submitter

Rows = list[tuple[str, str, dict[str, Any]]]
PRICE = 5
"""Credits of a row."""
ROWS = [
    Row(key=key, endpoint="ai_image_generator", parameters={"image_count": 1, "style": {"prompt": "x"}})
    for key in "abc"
]
"""Rows for a database without a service."""


def image_row(key: str, **parameters: Any) -> tuple[str, str, dict[str, Any]]:
    return key, "ai_image_generator", {"name": key, "image_count": 1, "style": {"prompt": "A red fox"}, **parameters}


def image_rows(count: int) -> Rows:
    return [image_row(f"fox-{number}") for number in range(count)]


def edit_row(key: str, picture: Path) -> tuple[str, str, dict[str, Any]]:
    """A row with a file."""
    assets = {"image_file_paths": [str(picture)]}
    return key, "ai_image_editor", {"name": key, "image_count": 1, "assets": assets, "style": {"prompt": "A hat"}}


def broken_promises(results: Iterable[RowResult], creates: Iterable[tuple[str, str]]) -> list[str]:
    """What is wrong with the rows of a batch that has ended, by the ids and names of the jobs in the ledger."""
    rows, jobs = list(results), list(creates)
    known, named = {row.id for row in rows}, {row.name for row in rows if row.status is RowStatus.DOUBTFUL}
    found = [f"{name!r} was charged {n} times" for name, n in Counter(name for _, name in jobs).items() if n > 1]
    found += [f"job {id} ({name}) is in no row" for id, name in jobs if id not in known and name not in named]
    ended = (RowStatus.SAVED, RowStatus.DOUBTFUL)
    return found + [f"row {row.key} is {row.status}: {row.error}" for row in rows if row.status not in ended]


def steps_of(store: Store, folder: Path, stop_signal: StopSignal) -> Steps:
    """The steps of a worker, without a service."""
    client: Any = None  # nothing here talks to the service
    submitter = Submitter(store.claims, Session(store.engine, "worker"), SideFile([]), stop_signal, "worker")
    return Steps(client, store, OutputDir(folder / "out", "w"), stop_signal, submitter, lambda *_: None)


async def until(condition: Callable[[], object]) -> None:
    """Let the others go on until they have come so far; what never comes so far fails here."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (there is no event for "it waits for a lock")
            await asyncio.sleep(0)


class LocalBatch:
    """A directory with a batch, for one emulator."""

    def __init__(self, emulator: Emulator, folder: Path, backend: str = "sync") -> None:
        self.emulator = emulator
        self.folder = folder
        self.output = folder / "out"
        self.database = folder / "foxes.batch.sqlite"
        self.backend = backend

    def batch(self, rows: Any = None, **options: Any) -> Batch:
        options = {"token": self.emulator.token, "base_url": self.emulator.url, "poll_interval": 0.02, **options}
        return Batch(rows, **{"output": self.output, "database": self.database, **options})

    def run(self, rows: Any = None, *, retry: Any = False, **options: Any) -> dict[str, RowResult]:
        """Run it until it ends; returns the rows that finished in this run."""
        return self.ran(self.batch(rows, **options), retry=retry)

    def ran(self, batch: Batch, *, retry: Any = False) -> dict[str, RowResult]:
        if self.backend == "sync":
            return {row.key: row for row in batch.run(retry=retry)}

        async def collect() -> dict[str, RowResult]:
            return {row.key: row async for row in batch.run_async(retry=retry)}

        return anyio.run(collect, backend=self.backend)

    def statuses(self) -> dict[str, RowStatus]:
        return {row.key: row.status for row in self.batch().results()}

    @property
    def charged(self) -> Counter[str]:
        """How often each row was charged."""
        return Counter(str(create.name) for create in self.emulator.ledger.creates)

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.output.iterdir()) if self.output.exists() else []
