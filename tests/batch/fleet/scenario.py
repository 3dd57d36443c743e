"""The story of a fleet: one machine dies, one hangs and comes back, one joins; the ledger is the judge.

At length: `make batch-fleet ROWS=1000`.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from batch.fleet.fleet_harness import FleetHarness, manifest, most, problems, service, too_many
from batch.fleet.postgres import Postgres, programs
from magic_hour_emulator import samples
from magic_hour_workflows.batch import RowStatus

SILENCE_SECONDS = 20.0


def played(
    database: str, folder: Path, *, rows: int, rate: float, concurrency: int, silence: float = SILENCE_SECONDS
) -> dict[str, Any]:
    """The whole story; gives what was measured. `silence`: seconds after which a worker is replaced."""
    keys = manifest(folder, rows)
    with service() as emulator, FleetHarness(emulator, database, folder) as harness:
        emulator.fault("delay", on="create", phase="after", seconds=1.0, times=None)
        told = {"manifest": str(folder / "rows.jsonl"), "options": {"rate": rate, "concurrency": concurrency}}
        told["silence"] = silence
        first = harness.worker("first", **told)
        harness.until("the first row", first.lines)
        second, third = harness.worker("second", silence=silence), harness.worker("third", silence=silence)
        harness.until("all three at work", lambda: all(harness.charged(name) for name in ("first", "second", "third")))

        harness.until("a submission of the second", lambda: harness.submitting("second"))
        second.signal(signal.SIGKILL)
        killed_at = time.monotonic()
        lost = harness.until("what the second had", lambda: harness.under_way("second"))
        harness.until("a submission of the third", lambda: harness.submitting("third"))
        third.signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        fourth = harness.worker("fourth", silence=silence)

        harness.until("the rows of the second, taken over", lambda: set(lost) - set(harness.under_way("second")))
        harness.until("one of them at work elsewhere", lambda: harness.begun_elsewhere(lost, "second"))
        taken_over = time.monotonic() - killed_at
        harness.until("time to come back", lambda: time.monotonic() - stopped_at > 1.3 * silence)
        in_doubt = [result.key for result in harness.results() if result.status is RowStatus.DOUBTFUL]
        third.signal(signal.SIGCONT)
        assert [worker.wait() for worker in (first, third, fourth)] == [0, 0, 0], harness.story()

        finished = {line["key"] for line in first.lines() if "key" in line}
        again = harness.worker("again")  # settles what was answered after all others had ended
        assert again.wait() == 0, harness.story()
        results = harness.results()
        doubtful = {result.key for result in results if result.status is RowStatus.DOUBTFUL}
        assert problems(harness, keys) == []
        assert too_many(emulator.creates(), rate) == []
        assert finished == set(keys)  # the one that began the batch waits for all, and says so
        assert doubtful <= set(lost)  # the stopped one came back with its answers
        return {
            "rows": len(results),
            "charged": len(emulator.creates()),
            "doubtful": len(doubtful),
            "in doubt while one hung": len(in_doubt),
            "seconds until taken over": round(taken_over, 1),
            "most in a minute": most(emulator.creates(), 60.0),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=600.0, help="submissions a minute, of all workers together")
    parser.add_argument("--concurrency", type=int, default=24)
    options = parser.parse_args()
    if programs() is None:
        print("PostgreSQL is not installed (Debian and Ubuntu, as root: make packages)", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        shutil.copy(samples.portrait(), Path(folder) / "anna.png")
        told = played(
            server.database(), Path(folder), rows=options.rows, rate=options.rate, concurrency=options.concurrency
        )
    for what, value in {**told, "seconds": round(time.monotonic() - began)}.items():
        print(f"{what:>26}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
