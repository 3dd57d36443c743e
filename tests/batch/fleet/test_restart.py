"""The server between the workers goes and comes back: for a moment, and for longer than they wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batch.fleet.fleet_harness import FleetHarness, manifest, problems, service
from batch.fleet.postgres import PASSWORD, Postgres, programs


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server that the test may end."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian and Ubuntu, as root: make packages)")
    with Postgres() as server:
        yield server


def test_a_server_that_is_restarted_in_the_middle(own_server: Postgres, shared: Path) -> None:
    keys = manifest(shared, 24)
    with service(speed=3) as emulator, FleetHarness(emulator, own_server.database(), shared) as harness:
        # Two at a time and slowly, or on a busy machine `one` is done with all before `two` is up.
        emulator.fault("delay", on="create", phase="after", seconds=1.0, times=None)
        told: dict[str, Any] = {"manifest": str(shared / "rows.jsonl"), "options": {"concurrency": 2}}
        workers = [harness.worker("one", **told)]
        harness.until("the first row", workers[0].lines)
        workers.append(harness.worker("two"))
        harness.until("both at work", lambda: harness.charged("two"))
        harness.until("a submission", lambda: harness.submitting("one") or harness.submitting("two"))
        own_server.stop()
        own_server.start()
        assert [worker.wait() for worker in workers] == [0, 0], harness.story()
        assert problems(harness, keys) == []
        assert {result.status for result in harness.results()} == {"saved"}
        assert all(PASSWORD not in worker.logged.read_text() for worker in workers)


def test_a_server_that_is_away_for_too_long_ends_the_run_and_the_next_one_goes_on(
    own_server: Postgres, shared: Path
) -> None:
    """The engine itself waits for the server without end, so the worker is gone when the server is back."""
    keys = manifest(shared, 6)
    with service() as emulator, FleetHarness(emulator, own_server.database(), shared) as harness:
        emulator.fault("delay", on="create", phase="after", seconds=0.3, times=None)
        one = harness.worker("one", manifest=str(shared / "rows.jsonl"), options={"concurrency": 3}, patience=1)
        harness.until("the first row", one.lines)
        harness.until("a submission", lambda: harness.submitting("one"))
        own_server.stop()
        stopped_at = time.monotonic()
        harness.until("more than its patience", lambda: time.monotonic() - stopped_at > 3)
        own_server.start()
        assert one.wait() == 1
        said = one.logged.read_text()
        assert "DatabaseAway: the batch database cannot be reached" in said
        assert PASSWORD not in said
        assert harness.worker("next").wait() == 0, harness.story()
        assert problems(harness, keys) == []
