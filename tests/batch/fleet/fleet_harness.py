"""Several machines that work on one batch: the service in one process, each worker in another, PostgreSQL between them.

Rule: the batch is not trusted. The ledger of the service, which runs on its own, has what was charged.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg

from batch.fleet.worker import main
from batch.local_batch import broken_promises
from magic_hour_workflows.batch import Batch, RowResult, RowStatus
from programs import Program

TOKEN = "mhk_test_fleet"
PATIENCE_SECONDS = 300.0


class Service:
    """The emulator, in its own process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ledger(self) -> dict[str, Any]:
        """What was accepted, charged and refunded."""
        return dict(httpx.get(f"{self.url}/_emulator/ledger", timeout=30).raise_for_status().json())

    def creates(self) -> list[dict[str, Any]]:
        """The accepted creates."""
        return list(self.ledger()["creates"])

    def fault(self, kind: str, **options: Any) -> None:
        """Add a fault."""
        httpx.post(f"{self.url}/_emulator/faults", json={"kind": kind, **options}, timeout=30).raise_for_status()


@contextmanager
def service(*, speed: float = 1.0) -> Iterator[Service]:
    """The service, for as long as it is needed; `speed` is how fast its clock runs."""
    command = [sys.executable, "-m", "magic_hour_emulator", "--port", "0", "--token", TOKEN, "--seed", "0"]
    with subprocess.Popen([*command, "--speed", str(speed)], stdout=subprocess.PIPE, text=True) as emulator:
        try:
            assert emulator.stdout is not None
            yield Service(_greeting(emulator.stdout))
        finally:
            emulator.terminate()
            with suppress(subprocess.TimeoutExpired):
                emulator.wait(60)
            emulator.kill()


def _greeting(lines: Any) -> str:
    for line in lines:
        if found := re.search(r"MAGIC_HOUR_BASE_URL=(\S+)", line):
            return found[1]
    raise AssertionError("the emulator said no address")


class Worker:
    """One process of the fleet.

    Args:
        name: the machine it pretends to be.
        folder: where it writes what it says.
        told: what `worker.py` is told.
    """

    def __init__(self, name: str, folder: Path, told: dict[str, Any]) -> None:
        self.name = name
        self.said = folder / f"{name}.out"
        self.logged = folder / f"{name}.log"
        for path in (self.said, self.logged):
            path.write_bytes(b"")
        self._process = Program(main, {"name": name, **told}, environment={}, out=self.said, err=self.logged)

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT or another."""
        self._process.send_signal(number)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return (self._process.poll() or 0) > 0

    def lines(self) -> list[dict[str, Any]]:
        """What it has said so far."""
        return [json.loads(line) for line in self.said.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait(self) -> int:
        """Wait until it has ended; gives its exit code."""
        return self._process.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        """End it for good, if it has not."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait()


class FleetHarness:
    """A batch on PostgreSQL and who works on it; a context manager that ends them all.

    Args:
        service: the emulator.
        database: the address.
        folder: what the machines share.
        options: those of `Batch` for all workers.
    """

    def __init__(self, service: Service, database: str, folder: Path, **options: Any) -> None:
        self.service = service
        self.database = database
        self.folder = folder
        self.options = {"token": TOKEN, "base_url": service.url, "database": database, "poll_interval": 0.2, **options}
        self.workers: list[Worker] = []

    def worker(self, name: str, **told: Any) -> Worker:
        """Start a worker on another machine; the one with the `manifest` starts the batch."""
        options = {**self.options, **told.pop("options", {})}
        if "manifest" in told:
            options["output"] = str(self.folder / "outputs")
        worker = Worker(name, self.folder, {**told, "options": options})
        self.workers.append(worker)
        return worker

    def query(self, statement: str) -> list[Any]:
        """The rows of a query to the batch database; none as long as there are no tables."""
        with (
            suppress(psycopg.errors.UndefinedTable),
            psycopg.connect(self.database, autocommit=True, connect_timeout=5) as connection,
        ):
            return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]
        return []

    def until(self, what: str, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait for a condition."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline or any(worker.failed for worker in self.workers):
                raise AssertionError(f"waited {seconds:g} s for: {what}\n{self.story()}")
            time.sleep(0.1)
        return found

    def charged(self, worker: str) -> list[str]:
        """The rows that a machine has claimed."""
        return [key for (key,) in self.query(f"SELECT key FROM paid WHERE worker LIKE '{worker}-%'")]  # noqa: S608

    def under_way(self, worker: str) -> list[str]:
        """The rows that a machine is running, according to the engine."""
        return [
            key
            for (key,) in self.query(
                "SELECT workflow_uuid FROM dbos.workflow_status"  # noqa: S608
                f" WHERE status = 'PENDING' AND executor_id LIKE '{worker}-%'"
            )
        ]

    def submitting(self, worker: str) -> list[str]:
        """The rows that a machine has claimed and whose response it waits for."""
        query = f"SELECT key FROM paid WHERE project_id IS NULL AND worker LIKE '{worker}-%'"  # noqa: S608
        return [key for (key,) in self.query(query)]

    def begun_elsewhere(self, keys: list[str], worker: str) -> list[str]:
        """Those of the rows that another machine has started since."""
        query = "SELECT workflow_uuid, executor_id FROM dbos.workflow_status WHERE status <> 'ENQUEUED'"
        begun = {key: str(executor) for key, executor in self.query(query)}
        return [key for key in keys if key in begun and not begun[key].startswith(f"{worker}-")]

    def results(self) -> list[RowResult]:
        """The state of every row."""
        return Batch(None, **self.options).results()

    def story(self) -> str:
        """The logs of the workers, for a failing test."""
        return "\n".join(f"--- {one.name}\n{one.logged.read_text()[-3000:]}" for one in self.workers)

    def __enter__(self) -> FleetHarness:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.end()


def manifest(folder: Path, rows: int) -> list[str]:
    """Write `rows.jsonl`: generated images, and every third row edits an image in the shared directory."""
    written: list[dict[str, Any]] = []
    for number in range(rows):
        row: dict[str, Any] = {"key": f"row-{number:04}", "endpoint": "ai_image_generator", "image_count": 1}
        if number % 3 == 0:
            row |= {"endpoint": "ai_image_editor", "assets": {"image_file_paths": ["anna.png"]}}
        written.append(row | {"style": {"prompt": "A red fox"}})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
    return [str(row["key"]) for row in written]


def too_many(creates: list[dict[str, Any]], rate: float) -> list[str]:
    """Where more was accepted than the rate allows: per minute, and in ten seconds one more than a sixth."""
    found = []
    for seconds, allowed in ((60.0, int(rate)), (10.0, int(rate / 6) + 1)):
        if (crowd := most(creates, seconds)) > allowed:
            found.append(f"{crowd} in {seconds:g} s")
    return found


def most(creates: list[dict[str, Any]], seconds: float) -> int:
    """The most that was accepted in any period of this length."""
    times = sorted(create["at"] for create in creates)
    return max((bisect_left(times, at + seconds) - first for first, at in enumerate(times)), default=0)


def problems(harness: FleetHarness, keys: list[str]) -> list[str]:
    """The broken promises: by the ledger, not by the batch."""
    results = {result.key: result for result in harness.results()}
    jobs = [(create["id"], create["name"]) for create in harness.service.creates()]
    found = broken_promises(results.values(), jobs)
    found += [f"rows {sorted(set(keys) ^ set(results))} are missing or too many"] if set(keys) != set(results) else []
    unknown = {result.id for result in results.values()} - {id for id, _ in jobs} - {None}
    found += [f"jobs {unknown} are unknown to the service"] if unknown else []
    found += [f"{len(jobs)} jobs for {len(results)} rows"] if len(jobs) > len(results) else []
    for result in results.values():
        if result.status is RowStatus.SAVED and not (result.paths and all(path.is_file() for path in result.paths)):
            found.append(f"row {result.key} is reported as saved, but is not")
    return found
