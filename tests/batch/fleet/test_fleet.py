"""Several machines on one batch: one dies, one hangs and comes back, one joins; nothing is paid twice."""

from __future__ import annotations

from pathlib import Path

from batch.fleet.scenario import played

ROWS = 60
"""Half a minute of submissions, in which each of the three workers is met at one, on a busy machine too."""


def test_three_workers_one_killed_one_stopped_one_added(database: str, shared: Path) -> None:
    told = played(database, shared, rows=ROWS, rate=120.0, concurrency=12, silence=5.0)
    assert told["charged"] <= told["rows"] == ROWS
