"""The simulation of the claims at length: `make claims SCHEDULES=2000`; every seeded bug must be found."""

from __future__ import annotations

import argparse
import logging
import sys
import time

from batch.claiming.seeded_bugs import SEEDED_BUGS
from batch.claiming.simulation import Simulation

FIRST_SEEDS = 400
"""In so many schedules every seeded bug has to be found."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=2000)
    parser.add_argument("--seed", type=int, help="only this one, with its story")
    options = parser.parse_args()
    logging.getLogger("magic_hour_workflows").setLevel(logging.CRITICAL)
    stage, began = Simulation(), time.monotonic()
    seeds = range(options.schedules) if options.seed is None else [options.seed]
    reports = [stage.play(seed) for seed in seeds]
    if options.seed is not None:
        print("\n".join(reports[0].trace))
    broken = [report for report in reports if report.complaints]
    for report in broken[:5]:
        print(f"seed {report.seed}: {report.complaints}", *report.trace, sep="\n")
    missed = []
    for name, bug in SEEDED_BUGS.items() if options.seed is None else ():
        found = next((seed for seed in range(FIRST_SEEDS) if stage.play(seed, bug).complaints), None)
        print(f"seeded: {name}: {'not found' if found is None else f'found by seed {found}'}", flush=True)
        missed += [name] if found is None else []
    jobs = sum(report.jobs for report in reports)
    print(
        f"claims: {len(reports)} schedules, {jobs} jobs accepted, {len(broken)} broken, "
        f"{len(SEEDED_BUGS) - len(missed)} of {len(SEEDED_BUGS)} seeded bugs found, {time.monotonic() - began:.0f} s"
    )
    return bool(broken or (missed and options.seed is None))


if __name__ == "__main__":
    sys.exit(main())
