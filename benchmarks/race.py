"""Running contestants: each measurement in a process of its own, against a server of its own, in alternating order.

Rule: nothing is compared that was not measured in the same run, side by side.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from .table import OURS, RAW, VENDOR

Figures = dict[str, Any]
MODULES = {OURS: "ours", RAW: "raw", VENDOR: "vendor"}
PATIENCE = 60.0
"""Seconds after which a contestant is stopped and reported as too slow."""
_INPUT_BYTES = 20_000


@attrs.frozen
class Effort:
    """How much work to do."""

    quick: bool

    def times(self, full: int, quick: int = 1) -> int:
        return quick if self.quick else full


class Server:
    """A running server and what it counts."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/bench/stats") as answer:  # noqa: S310  (our own server)
            stats: dict[str, Any] = json.load(answer)
        return stats


@contextmanager
def serving(*, job_seconds: float = 0.0, output_bytes: int = 100_000, output_delay: float = 0.0) -> Iterator[Server]:
    """A server in a process of its own."""
    options = {"--job-seconds": job_seconds, "--output-bytes": output_bytes, "--output-delay": output_delay}
    arguments = [str(part) for option in options.items() for part in option]
    command = [sys.executable, "-m", "benchmarks.server", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Server(process.stdout.readline().strip() if process.stdout else "")
    finally:
        process.kill()
        process.communicate()


@contextmanager
def folder(*, in_memory: bool = False) -> Iterator[Path]:
    """An empty folder with two input files; `in_memory` where the system has a place for that, as Linux does."""
    memory = "/dev/shm"  # noqa: S108  (a folder of our own is made in it)
    where = memory if in_memory and os.path.isdir(memory) else None
    with tempfile.TemporaryDirectory(prefix="magic-hour-benchmark-", dir=where) as name:
        path = Path(name)
        for input_name in ("portrait.png", "voice.mp3"):
            (path / input_name).write_bytes(secrets.token_bytes(_INPUT_BYTES))
        yield path


def run(who: str, what: str, settings: Mapping[str, Any], patience: float = PATIENCE) -> Figures | None:
    """The figures of one contestant; None if it took too long, or failed.

    If our own client fails, that is an error and not a figure.
    """
    interval = str(settings.get("poll", 0.5) / settings.get("scale", 1.0))
    environment = {**os.environ, "MAGIC_HOUR_POLL_INTERVAL": interval, "MAGIC_HOUR_API_KEY": "mhk_benchmark"}
    if who == OURS:
        del environment["MAGIC_HOUR_POLL_INTERVAL"]
    command = [sys.executable, "-m", f"benchmarks.contestants.{MODULES[who]}", what, json.dumps(settings)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode == 0:
        figures: Figures = json.loads(done.stdout.splitlines()[-1])
        return figures
    if who == VENDOR:
        return None
    raise SystemExit(f"{who} failed at {what}:\n{done.stderr[-2000:]}")


def alternate(contestants: Sequence[str], times: int, one: Callable[[str], Figures | None]) -> dict[str, list[Figures]]:
    """The figures of each, in turns; every other round runs in reverse order."""
    taken: dict[str, list[Figures]] = {who: [] for who in contestants}
    for number in range(times):
        for who in contestants if number % 2 == 0 else reversed(contestants):
            figures = one(who)
            if figures is not None:
                taken[who].append(figures)
    return taken


def column(taken: Mapping[str, Sequence[Figures]], key: str, scale: float = 1.0) -> dict[str, list[float]]:
    """One figure of all contestants."""
    return {who: [scale * figures[key] for figures in several] for who, several in taken.items() if several}
