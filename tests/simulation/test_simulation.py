"""The seeds of the default run, and that they cover everything there is to cover; 400 of them with the long cases."""

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

CHUNK, SEEDS = 40, 400
REMEMBERED = (*range(2 * CHUNK), 122, 213)
"""The seeds of the first two chunks, and those that reached what they do not."""
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
OF_WEBHOOKS = {name for name in errors.__all__ if name.startswith(("Webhook", "Inbox"))}
"""They are raised for a request of the service, which calls do not see."""
OF_JOB_LOGS = {"JobLogUnusable", "OverLimit"}
"""The simulated log has no file and no limit."""


@cache
def report(seed: int) -> Report:
    return simulate(seed)


CHUNKS = [range(first, first + CHUNK) for first in range(0, SEEDS, CHUNK)]


@pytest.mark.parametrize("seeds", [*CHUNKS[:2], *(pytest.param(chunk, marks=pytest.mark.long) for chunk in CHUNKS[2:])])
def test_seeds(seeds: range) -> None:
    for seed in seeds:
        assert not report(seed).complaints, str(report(seed))


def test_the_seeds_cover_everything() -> None:
    """Otherwise the simulation could silently stop covering something. All seeds are tried where those that reached
    everything last do not any more.
    """
    raised = [
        *(name for name in errors.__all__ if name not in ABSTRACT | OF_BATCHES | OF_WEBHOOKS | OF_JOB_LOGS),
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
    for seed in (*REMEMBERED, *range(SEEDS)):
        if not wanted:
            break
        wanted -= report(seed).reached
    assert sorted(wanted) == []


def test_the_same_seed_is_the_same_story_in_every_process(tmp_path: Path) -> None:
    program = "from simulation.run import simulate; print([simulate(seed).fingerprint for seed in range(8)])"
    path = os.pathsep.join(sys.path)
    stories = {
        python("-c", program, variables={"PYTHONPATH": path, "PYTHONHASHSEED": seed}, cwd=tmp_path).stdout
        for seed in ("1", "2")
    }
    assert stories == {f"{[report(seed).fingerprint for seed in range(8)]}\n"}
