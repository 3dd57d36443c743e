"""The story of a fleet: one machine dies, one hangs and comes back, one joins; afterwards the ledger is read."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from batch.fleet.fleet_harness import Studio, manifest, most, problems, service, too_many
from magic_hour_workflows.batch import RowStatus

TAKEN_OVER_SECONDS = 30.0
STOPPED_SECONDS = 26.0


def played(database: str, folder: Path, *, rows: int, rate: float, concurrency: int) -> dict[str, Any]:
    """The whole story; gives what was measured."""
    keys = manifest(folder, rows)
    with service() as emulator, Studio(emulator, database, folder) as studio:
        emulator.fault("delay", on="create", phase="after", seconds=0.3, times=None)
        told = {"manifest": str(folder / "rows.jsonl"), "options": {"rate": rate, "concurrency": concurrency}}
        first = studio.worker("first", **told)
        studio.until("the first row", first.lines)
        second, third = studio.worker("second"), studio.worker("third")
        studio.until("all three at work", lambda: all(studio.charged(name) for name in ("first", "second", "third")))

        studio.until("a submission of the second", lambda: studio.submitting("second"))
        second.signal(signal.SIGKILL)
        killed_at = time.monotonic()
        lost = studio.until("what the second had", lambda: studio.under_way("second"))
        studio.until("a submission of the third", lambda: studio.submitting("third"))
        third.signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        fourth = studio.worker("fourth")

        studio.until("the rows of the second, taken over", lambda: set(lost) - set(studio.under_way("second")))
        studio.until("one of them at work elsewhere", lambda: studio.begun_elsewhere(lost, "second"))
        taken_over = time.monotonic() - killed_at
        studio.until("time to come back", lambda: time.monotonic() - stopped_at > STOPPED_SECONDS)
        in_doubt = [result.key for result in studio.results() if result.status is RowStatus.DOUBTFUL]
        third.signal(signal.SIGCONT)
        assert [worker.wait() for worker in (first, third, fourth)] == [0, 0, 0], studio.story()

        finished = {line["key"] for line in first.lines() if "key" in line}
        again = studio.worker("again")  # settles what was answered after all others had ended
        assert again.wait() == 0, studio.story()
        results = studio.results()
        doubtful = {result.key for result in results if result.status is RowStatus.DOUBTFUL}
        assert problems(studio, keys) == []
        assert too_many(emulator.creates(), rate) == []
        assert finished == set(keys)  # the one that began the batch waits for all, and says so
        assert doubtful <= set(lost)  # the stopped one came back with its answers
        assert taken_over < TAKEN_OVER_SECONDS
        return {
            "rows": len(results),
            "charged": len(emulator.creates()),
            "doubtful": len(doubtful),
            "in doubt while one hung": len(in_doubt),
            "seconds until taken over": round(taken_over, 1),
            "most in a minute": most(emulator.creates(), 60.0),
        }
