"""Measure, print, and write RESULTS.md.

make bench                          all rows; twenty minutes
make bench ROWS="start/* jobs/200"  some of them; writes nothing
make bench-quick                    all, smaller and fewer times, in under two minutes; writes nothing
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

from . import calling, capacity, generation, starting, together, transfers, waiting
from .race import Effort
from .report import document, group, line, lines, missed
from .table import ROWS, Samples

RESULTS = Path(__file__).with_name("RESULTS.md")
GROUPS = {
    "start": (starting.measure,),
    "requests": (calling.measure,),
    "wait": (waiting.measure,),
    "jobs": (together.measure,),
    "transfer": (transfers.measure,),
    "growth": (together.grow,),
    "generation": (generation.measure,),
    "server": (capacity.measure, together.measure),
}


def main() -> int:
    """Run what the command line asks for. A missed goal is not a failure, because it also depends on the machine."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", nargs="+", default=["*"], help="names of rows, their beginnings, or patterns")
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions")
    given = parser.parse_args()
    patterns = [pattern for name in given.rows for pattern in (name, f"{name.rstrip('/')}/*")]
    rows = [row for row in ROWS if any(fnmatch(row.name, pattern) for pattern in patterns)]
    if not rows:
        parser.error("no such row; benchmarks/table.py has their names")
    # The others are installed with their bytecode; without it, ours would be compiled in every process.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.monotonic()
    found: dict[str, Samples] = {}
    for name, measures in GROUPS.items():
        wanted = {row.name for row in rows if group(row) == name}
        started = time.monotonic()
        for measure in measures if wanted else ():
            found.update(measure(wanted, Effort(quick=given.quick)))
        if wanted:
            print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    print("\n".join(lines(found, rows)))
    if len(rows) == len(ROWS) and not given.quick:
        RESULTS.write_text(document(found, seconds), encoding="utf-8")
    misses = missed(found, rows)
    for row in misses:
        print(f"missed: {line(row, found[row.name])}")
    print(f"bench: {len(found)} rows in {seconds:.0f} s, {len(misses)} goals missed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
