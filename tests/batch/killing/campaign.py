"""`make batch-kills`: a batch killed at a hundred random moments, with the guard and without; prints both results.

    python tests/batch/killing/campaign.py --kills 100 --rows 300 --seed 0

Rule: the judgement is that of the tests. The exit code is 1 if a promise was broken, or if none was broken without the
guard: then the kills prove nothing.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from batch.killing.kill_campaign import Campaign, killed_often, slow
from magic_hour_emulator import Emulator


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill a batch with SIGKILL, start it again, and judge what is left.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    parser.add_argument("--only", choices=["guarded", "unguarded"], help="one of the two")
    given = parser.parse_args()
    print(f"{'':12}{'kills':>8}{'accepted':>10}{'twice':>8}{'doubtful':>10}{'broken':>8}{'seconds':>9}")
    broken = False
    with Emulator(token="mhk_test_canary", speed=10, seed=given.seed) as emulator:
        for guarded in (True, False):
            if given.only not in (None, "guarded" if guarded else "unguarded"):
                continue
            emulator.reset()
            slow(emulator)
            with tempfile.TemporaryDirectory() as folder:
                campaign = Campaign(emulator, Path(folder), given.rows, given.concurrency, guarded)
                broken |= report(campaign, given)
    return int(broken)


def report(campaign: Campaign, given: argparse.Namespace) -> bool:
    """Kill it this often and print a line; returns whether the result is wrong."""
    began = time.monotonic()
    # Long enough for each life to process about its share of the rows.
    longest = 2 * 0.5 * given.rows / given.concurrency / given.kills
    killed_often(campaign, given.kills, random.Random(given.seed), longest)
    if campaign.guarded:
        campaign.finish()
    else:
        campaign.run()
        campaign.problems.clear()
    accepted, twice = len(campaign.emulator.ledger.creates), campaign.twice
    numbers = f"{campaign.kills:8}{accepted:10}{len(twice):8}{len(campaign.doubtful):10}{len(campaign.problems):8}"
    name = "guarded" if campaign.guarded else "no guard"
    print(f"{name:12}{numbers}{time.monotonic() - began:9.1f}", flush=True)
    for problem in campaign.problems:
        print(f"  {problem}")
    if campaign.guarded:
        return bool(campaign.problems)
    if not twice:
        print("  without the guard nothing was charged twice: there were too few kills to show anything")
    return not twice


if __name__ == "__main__":
    raise SystemExit(main())
