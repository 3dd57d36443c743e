"""A worker that wakes up when its row is another's: stopped (SIGSTOP) between its attempts, disconnected from the
database, its row settled and submitted elsewhere. It must send nothing. At length: `make batch-late REPETITIONS=20`.

Rule: only the stopped worker is a process of its own, because only a process can be stopped.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from batch.fleet.fleet_harness import FleetHarness, problems, service
from batch.fleet.postgres import Postgres, programs
from magic_hour_client.errors import InvalidArgument
from magic_hour_workflows.batch import Batch, Settled
from magic_hour_workflows.batch import _engine as engine
from magic_hour_workflows.batch import _settling as settling

KINDS = ("slowed", "refused")
PERMIT_SECONDS = 1.0
SILENT_SECONDS = 1.0
ANSWER_SECONDS = 0.5
RETRY_AFTER_SECONDS = 6


def played(postgres: Postgres, folder: Path, kind: str, *, guarded: bool = True) -> dict[str, Any]:
    """The whole story; returns how often the row was charged, and the problems.

    Args:
        postgres: the server.
        folder: what the machines share.
        kind: why the first worker tries again: `slowed` by a 429, or `refused` by a port where nobody listens.
        guarded: False to let the worker send without its permit.
    """
    database = postgres.database()
    row = {
        "key": "fox",
        "endpoint": "ai_image_generator",
        "name": "fox",
        "image_count": 1,
        "style": {"prompt": "A fox"},
    }
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    with service(speed=50) as emulator, FleetHarness(emulator, database, folder) as harness, _closed_port() as port:
        options = {"base_url": f"http://127.0.0.1:{port.number}"} if kind == "refused" else {}
        if kind == "slowed":
            emulator.fault("rate_limited", on="create", retry_after=RETRY_AFTER_SECONDS)
        told: dict[str, Any] = {"manifest": str(folder / "rows.jsonl"), "options": options}
        worker = harness.worker("late", permit=PERMIT_SECONDS, guarded=guarded, **told)
        harness.until("the claim", lambda: harness.submitting("late"), 60)
        time.sleep(0.3)  # the first try: answered, or refused
        worker.signal(signal.SIGSTOP)
        with patch.multiple(engine, SILENT_SECONDS=SILENT_SECONDS, HEARTBEAT_SECONDS=0.2), _short_waits():
            refused = _settled_elsewhere(postgres, harness, database)
        port.forward(emulator.url)
        worker.signal(signal.SIGCONT)
        code = worker.wait()
        creates = [create["id"] for create in emulator.creates()]
        strays = [stray.id for stray in Batch(None, **harness.options).summary().strays]
        known = [result.id for result in harness.results()] + strays
        return {
            "charged": len(creates),
            "unreported": sorted(set(creates) - set(known)),
            "exit code": code,
            "refused while it could be seen": refused,
            "problems": problems(harness, ["fox"]),
            "said": worker.logged.read_text(),
        }


def _settled_elsewhere(postgres: Postgres, harness: FleetHarness, database: str) -> bool:
    """Another worker finds the row doubtful, it is settled and submitted, all while the first worker is stopped."""
    time.sleep(SILENT_SECONDS)
    list(Batch(None, **harness.options).run())
    batch = Batch(None, **harness.options)
    refused = False
    try:
        batch.settle("fox", not_charged=lambda name: not harness.service.creates())
    except InvalidArgument as error:
        refused = "is still running" in str(error)
    name = database.rpartition("/")[2]
    connected = f"FROM pg_stat_activity WHERE datname = '{name}'"
    postgres.execute("postgres", f"SELECT pg_terminate_backend(pid) {connected}")
    settled = batch.settle("fox", not_charged=lambda name: not harness.service.creates())
    assert settled is Settled.NOT_CHARGED, settled
    ended = [result.status.value for result in Batch(None, **harness.options).run()]
    assert ended == ["saved"], ended
    return refused


@contextmanager
def _short_waits() -> Iterator[None]:
    with patch.object(settling, "WAIT_SECONDS", PERMIT_SECONDS + ANSWER_SECONDS):
        yield


class _Port:
    """A port where nobody listens, until it leads to the service."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # held, so that nobody else listens there
        self.number = int(self._socket.getsockname()[1])

    def forward(self, url: str) -> None:
        """From now on, forward connections to the service."""
        target = int(url.rpartition(":")[2])
        self._socket.listen(16)
        threading.Thread(target=self._accept, args=(target,), daemon=True).start()

    def _accept(self, target: int) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", target))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()

    def close(self) -> None:
        self._socket.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        other.close()


@contextmanager
def _closed_port() -> Iterator[_Port]:
    port = _Port()
    try:
        yield port
    finally:
        port.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=20)
    options = parser.parse_args()
    if programs() is None:
        print("PostgreSQL is not installed (Debian and Ubuntu, as root: make packages)", file=sys.stderr)
        return 2
    began, twice, unreported, wrong = time.monotonic(), 0, 0, 0
    with Postgres() as server:
        for number in range(options.repetitions):
            with tempfile.TemporaryDirectory() as folder:
                told = played(server, Path(folder), KINDS[number % 2])
            twice += told["charged"] > 1
            unreported += len(told["unreported"])
            wrong += bool(told["problems"])
            print(
                f"{number + 1:>3} {KINDS[number % 2]}: charged {told['charged']} times", *told["problems"], flush=True
            )
        with tempfile.TemporaryDirectory() as folder:
            without = played(server, Path(folder), "slowed", guarded=False)
    print(
        f"late workers: {options.repetitions} repetitions, {twice} double charges, {unreported} ids not reported, "
        f"{wrong} other problems; without the permit the row was charged {without['charged']} times; "
        f"{time.monotonic() - began:.0f} s"
    )
    return bool(twice or unreported or wrong or without["charged"] != 2)


if __name__ == "__main__":
    sys.exit(main())
