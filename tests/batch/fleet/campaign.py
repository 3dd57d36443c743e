"""The story of a fleet at length: `make batch-fleet ROWS=1000`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from batch.fleet.postgres import Postgres, programs
from batch.fleet.scenario import played
from magic_hour_emulator import samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=600.0, help="submissions a minute, of all workers together")
    parser.add_argument("--concurrency", type=int, default=24)
    options = parser.parse_args()
    if programs() is None:
        print("PostgreSQL is not installed (Debian and Ubuntu, as root: make packages)", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        shutil.copy(samples.portrait(), Path(folder) / "anna.png")
        told = played(
            server.database(), Path(folder), rows=options.rows, rate=options.rate, concurrency=options.concurrency
        )
    for what, value in {**told, "seconds": round(time.monotonic() - began)}.items():
        print(f"{what:>26}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
