"""How many rows a batch does per second, in how much memory, and what it costs to find it finished.

    python benchmarks/batch_throughput.py --rows 10000

One process and SQLite, as by default. The service is the emulator in a process of its own, whose jobs take 0.1 s. Then
the finished batch is run again. Fails below 20 rows per second, above 250 MiB, or if running it again takes more than
5 seconds. Linux only: the peak is read from /proc.

Rule: the public methods do the work; nothing is measured that a user would not run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LEAST_RATE = 20.0
MOST_MIB = 250.0
MOST_RESUME_SECONDS = 5.0
_KEY = "mhk_benchmark"
_SPEED = 10
"""The emulator needs a second of its clock for an image; this makes it 0.1 s."""


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--database", help="postgresql://... instead of a file")
    parser.add_argument("--run", nargs=2, metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(measured(Path(given.run[0]), given.run[1], given)))
        return 0
    with tempfile.TemporaryDirectory(prefix="magic-hour-benchmark-") as folder, emulator(given.rows) as url:
        first, again = (_run(folder, url) for _ in range(2))
        files = sum(1 for path in Path(folder, "out").iterdir() if path.suffix == ".png")
        size = sum(path.stat().st_size for path in Path(folder).glob("batch.sqlite*"))
    rate = first["ended"] / first["seconds"]
    print(f"{files} files, {first['ended']} rows in {first['seconds']:.1f} s: {rate:.1f} rows/s; goal {LEAST_RATE:g}")
    print(f"{first['cpu'] / first['ended'] * 1000:.1f} ms of processor time per row")
    print(f"peak {first['peak_mib']:.0f} MiB; goal {MOST_MIB:g}")
    print(f"database {size / 1024**2:.1f} MiB, {size / given.rows:.0f} bytes per row")
    took = f"{again['seconds']:.2f} s, peak {again['peak_mib']:.0f} MiB"
    print(f"run again when finished: {took}; goal {MOST_RESUME_SECONDS:g} s")
    if files != given.rows or first["ended"] != given.rows or again["ended"]:
        raise SystemExit("not every row was saved once")
    slow = rate < LEAST_RATE or again["seconds"] > MOST_RESUME_SECONDS
    return int(slow or max(first["peak_mib"], again["peak_mib"]) > MOST_MIB)


@contextmanager
def emulator(rows: int) -> Iterator[str]:
    """The service in a process of its own; yields its address."""
    options = ["--port", "0", "--speed", str(_SPEED), "--token", _KEY, "--credits", str(10 * rows), "--seed", "0"]
    command = [sys.executable, "-m", "magic_hour_emulator", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield next(line.split("=", 1)[1].strip() for line in server.stdout or () if "BASE_URL=" in line)
        finally:
            server.terminate()


def _run(folder: str, url: str) -> dict[str, Any]:
    """The figures of one run, in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--run", folder, url]
    figures: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return figures


def measured(folder: Path, url: str, given: argparse.Namespace) -> dict[str, Any]:
    """Run the batch, and return its figures."""
    from magic_hour_workflows.batch import Batch

    rows = [
        (f"row-{number:05}", "ai_image_generator", {"image_count": 1, "style": {"prompt": f"Fox {number}"}})
        for number in range(given.rows)
    ]
    began, cpu = time.monotonic(), time.process_time()
    with Batch(
        rows,
        output=folder / "out",
        database=given.database or folder / "batch.sqlite",
        concurrency=given.concurrency,
        token=_KEY,
        base_url=url,
    ) as batch:
        ended = sum(1 for _ in batch.run())
    seconds = time.monotonic() - began
    return {"ended": ended, "seconds": seconds, "cpu": time.process_time() - cpu, "peak_mib": _peak_mib()}


def _peak_mib() -> float:
    """The peak memory of this process. Not ru_maxrss, which starts with that of the parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("/proc/self/status does not tell the peak memory of this process")


if __name__ == "__main__":
    raise SystemExit(main())
