"""The claims in a simulation: no schedule charges a row twice, and every seeded bug is found."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from batch.claiming.seeded_bugs import SEEDED_BUGS
from batch.claiming.simulation import Simulation
from magic_hour_workflows.batch._fleet import Instant, Permit, passed

SCHEDULES = 60
FOUND_BY = {
    "the permit is checked once": 15,
    "there is no permit": 10,
    "the permit is checked too early": 37,
    "the permit forgets what the machine slept": 56,
    "a renewal asks nobody": 7,
    "settling closes nothing": 6,
    "settling does not wait": 28,
    "the look comes before the wait": 28,
    "an id is refused": 6,
}
"""A schedule that finds each; `make claims` looks for them in all."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Simulation]:
    logger = logging.getLogger("magic_hour_workflows")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield Simulation()
    logger.setLevel(level)


def test_no_schedule_charges_a_row_twice(stage: Simulation) -> None:
    reports = [stage.play(seed) for seed in range(SCHEDULES)]
    broken = [report for report in reports if report.complaints]
    assert not broken, "\n".join([f"seed {broken[0].seed}: {broken[0].complaints}", *broken[0].trace])
    assert sum(report.jobs for report in reports) > SCHEDULES / 2


@pytest.mark.parametrize("name", SEEDED_BUGS)
def test_a_seeded_bug_is_found(stage: Simulation, name: str) -> None:
    assert stage.play(FOUND_BY[name], SEEDED_BUGS[name]).complaints
    assert not stage.play(FOUND_BY[name]).complaints


@pytest.mark.parametrize(
    ("boot", "wall", "valid"),
    [(14.9, 14.9, True), (15.0, 1.0, False), (1.0, 15.0, False), (14.0, -3600.0, True), (15.1, -3600.0, False)],
)
def test_a_permit_ends_by_the_clock_that_ran_further(boot: float, wall: float, valid: bool) -> None:
    permit = Permit(Instant(100.0, 5000.0), session="one")
    assert permit.valid(Instant(100.0 + boot, 5000.0 + wall), "one") is valid
    assert not permit.valid(Instant(100.0, 5000.0), "another session")
    assert passed(Instant(0, 0), Instant(1, -1)) == 1
