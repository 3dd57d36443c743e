"""`make kills`: every point many times, with each kind of program, and many random moments; prints a table.

    python tests/kill/campaign.py --points 20 --random 200 --seed 0

Rule: it judges as the tests do. It exits with 1 if a single promise was broken, and says which.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kill.kill_points import POINTS
from kill.killing import KINDS, Killed, kill_after, kill_at, moment, undisturbed
from magic_hour_emulator import Emulator

Kill = Callable[[str, Path], Killed]
COLUMNS = ("killed", "accepted", "reported", "finished", "files", "leftovers", "broken", "seconds")


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill programs with SIGKILL and judge what they leave.")
    parser.add_argument("--points", type=int, default=20, help="how often at each point")
    parser.add_argument("--random", type=int, default=200, help="random moments")
    parser.add_argument("--seed", type=int, default=0, help="decides the random moments")
    given = parser.parse_args()
    print(f"{'point':32}" + "".join(f"{column:>10}" for column in COLUMNS))
    problems: list[str] = []
    with Emulator(token="mhk_test_canary", speed=50, seed=given.seed) as emulator:
        for name in POINTS:

            def at_point(kind: str, folder: Path, name: str = name) -> Killed:
                return kill_at(emulator, kind, name, folder)

            problems += report(name, given.points, at_point)
    with Emulator(token="mhk_test_canary", speed=10, seed=given.seed) as emulator:
        chance = random.Random(given.seed)
        lengths: dict[str, float] = {}

        def at_moment(kind: str, folder: Path) -> Killed:
            if kind not in lengths:
                with tempfile.TemporaryDirectory() as other:
                    lengths[kind] = undisturbed(emulator, kind, Path(other))
            return kill_after(emulator, kind, moment(chance, lengths[kind]), folder)

        problems += report("a random moment", given.random, at_moment)
    print("\n".join(problems) or "No promise was broken.")
    return 1 if problems else 0


def report(name: str, times: int, kill: Kill) -> list[str]:
    """Kill this many times, the kinds of program in turn, and print a line."""
    began = time.monotonic()
    killed = list(_each(times, kill))
    sums = [
        len(killed),
        sum(each.accepted for each in killed),
        sum(each.reported for each in killed),
        sum(each.finished for each in killed),
        sum(each.saved for each in killed),
        sum(each.parts for each in killed),
        sum(bool(each.problems) for each in killed),
    ]
    seconds = time.monotonic() - began
    print(f"{name:32}" + "".join(f"{number:>10}" for number in sums) + f"{seconds:>10.1f}", flush=True)
    return [problem for each in killed for problem in each.problems]


def _each(times: int, kill: Kill) -> Iterable[Killed]:
    for number in range(times):
        with tempfile.TemporaryDirectory() as folder:
            yield kill(KINDS[number % len(KINDS)], Path(folder))


if __name__ == "__main__":
    raise SystemExit(main())
