"""`python -m simulation`: run seeds in several processes; --seed runs one, --trace shows what happened."""

from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import Pool

from .run import Report, simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulation", description="Run seeds of the simulation.")
    parser.add_argument("--seeds", default="1-1000", help="the first and the last seed (default: 1-1000)")
    parser.add_argument("--seed", type=int, help="only this seed")
    parser.add_argument("--trace", action="store_true", help="show what happened, even if nothing is wrong")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1) if options.seed is None else range(options.seed, options.seed + 1)
    began = time.monotonic()
    if len(seeds) == 1 or options.workers == 1:
        broken = _watch(map(simulate, seeds), options.trace)
    else:
        with Pool(options.workers) as pool:
            broken = _watch(pool.imap(simulate, seeds, chunksize=10), options.trace)
    took = time.monotonic() - began
    print(f"simulation: {len(seeds)} seeds, {len(broken)} broken{f' {broken[:20]}' if broken else ''}, {took:.1f} s")
    return bool(broken)


def _watch(reports: object, trace: bool) -> list[int]:
    """Print what is broken, the first three in full, and return all broken seeds."""
    broken: list[int] = []
    for report in reports:  # type: ignore[attr-defined]
        _show(report, trace, len(broken))
        if report.complaints:
            broken.append(report.seed)
    return broken


def _show(report: Report, trace: bool, before: int) -> None:
    if report.complaints:
        print(report if before < 3 else f"seed {report.seed}: {report.complaints[0]}", flush=True)
    elif trace:
        print("\n".join(report.trace), f"\nfingerprint {report.fingerprint}", sep="")


if __name__ == "__main__":
    sys.exit(main())
