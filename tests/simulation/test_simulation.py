"""The seeds of the default run, and that they cover everything there is to cover."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

import pytest

from magic_hour_workflows import errors, events
from programs import python
from simulation.faults import EVERY
from simulation.run import Report, simulate

CHUNKS, SEEDS = 10, 40
ABSTRACT = {"MagicHourError", "JobError", "TransferFailed", "UnusableURL"}
"""Base classes, and errors that are only ever the cause of another."""
OF_BATCHES = {
    "BalanceTooLow",
    "DatabaseAway",
    "DatabaseLost",
    "ManifestError",
    "NotMine",
    "OutputsMissing",
    "OverBudget",
}
OF_JOB_LOGS = {"JobLogUnusable", "OverLimit"}
"""The simulated log has no file and no limit."""


@cache
def report(seed: int) -> Report:
    return simulate(seed)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_seeds(chunk: int) -> None:
    for seed in range(chunk * SEEDS, (chunk + 1) * SEEDS):
        assert not report(seed).complaints, str(report(seed))


def test_the_seeds_cover_everything() -> None:
    """Otherwise the simulation could silently stop covering something."""
    raised = [
        *(name for name in errors.__all__ if name not in ABSTRACT | OF_BATCHES | OF_JOB_LOGS),
        "CtrlC",
        "Cancelled",
    ]
    wanted = {
        *EVERY,
        *(f"raised: {name}" for name in raised),
        *(f"event: {name}" for name in events.__all__ if name != "Event"),
        *(f"call: {name}" for name in ("generate", "create", "get", "delete", "wait", "download", "check_result")),
        *(f"create: {name}" for name in ("accepted", "unsent", "refused", "may be accepted")),
        *(
            f"interrupted: {name}"
            for name in ("project_id", "submission_unknown", "unsent", "failure", "nothing known")
        ),
        *("expired: put", "expired: fetch", "resumed: 206", "saved", "saved: another name", "saved: some of several"),
    }
    reached = set().union(*(report(seed).reached for seed in range(CHUNKS * SEEDS)))
    assert sorted(wanted - reached) == []


def test_the_same_seed_is_the_same_story_in_every_process(tmp_path: Path) -> None:
    program = "from simulation.run import simulate; print([simulate(seed).fingerprint for seed in range(8)])"
    path = os.pathsep.join(sys.path)
    stories = {
        python("-c", program, variables={"PYTHONPATH": path, "PYTHONHASHSEED": seed}, cwd=tmp_path).stdout
        for seed in ("1", "2")
    }
    assert stories == {f"{[report(seed).fingerprint for seed in range(8)]}\n"}
