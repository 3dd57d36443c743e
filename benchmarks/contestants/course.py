"""The part of a contestant's process that measures: time, CPU, memory, and how long the event loop was blocked.

Rule: the same for all contestants; what is measured begins after imports and ends with the last result.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

Order = Mapping[str, Any]
Figures = dict[str, Any]
TICK_SECONDS = 0.002
_BLOCKS = 20


def report(figures: Figures) -> None:
    """Pass the figures to the process that asked for them."""
    print(json.dumps(figures), flush=True)


def order() -> tuple[str, Order]:
    """What to do, and with which settings."""
    return sys.argv[1], json.loads(sys.argv[2])


def peak_mib() -> float:
    """The peak memory of this process. Not ru_maxrss, which starts with that of the parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Stopwatch:
    """Wall time, CPU time and growth of peak memory since it was made."""

    def __init__(self) -> None:
        self.peak = peak_mib()
        self.cpu = time.process_time()
        self.wall = time.monotonic()

    def read(self) -> Figures:
        wall, cpu = time.monotonic() - self.wall, time.process_time() - self.cpu
        return {"wall": wall, "cpu": cpu, "memory": peak_mib() - self.peak, "ended": self.wall + wall}


async def watched(work: Callable[[], Awaitable[object]]) -> Figures:
    """The figures of `work`, with the longest stall of the event loop in milliseconds."""
    stalls = [0.0]
    watching = asyncio.create_task(_watch(stalls))
    await asyncio.sleep(0)
    watch = Stopwatch()
    await work()
    figures = watch.read()
    watching.cancel()
    return {**figures, "stall": 1000 * max(stalls)}


def several_sync(settings: Order, transfer: Callable[[int], object]) -> Figures:
    """The figures of the requested number of transfers, one after another: `each` is the median of their seconds."""
    seconds, saved, watch = list[float](), 0, Stopwatch()
    for number in range(settings["times"]):
        began = time.monotonic()
        transfer(number)
        seconds.append(time.monotonic() - began)
        saved += remove_saved(settings)
    return {**watch.read(), "each": statistics.median(seconds), "saved": saved}


async def several(settings: Order, transfer: Callable[[int], Awaitable[object]]) -> Figures:
    """The same, awaited."""
    seconds, saved = list[float](), list[int]()

    async def work() -> None:
        for number in range(settings["times"]):
            began = time.monotonic()
            await transfer(number)
            seconds.append(time.monotonic() - began)
            saved.append(await asyncio.to_thread(remove_saved, settings))

    figures = await watched(work)
    return {**figures, "each": statistics.median(seconds), "saved": sum(saved)}


def remove_saved(settings: Order) -> int:
    """How many files as large as the input are beside it; they are removed to make room for the next.

    Memory that nobody has used yet takes up to four times as long to write to, whoever writes.
    """
    given = Path(settings["file"])
    size = given.stat().st_size
    saved = [file for file in given.parent.rglob("*.*") if file != given and file.stat().st_size == size]
    for file in saved:
        file.unlink()
    return len(saved)


async def _watch(stalls: list[float]) -> None:
    while True:
        due = time.monotonic() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        stalls.append(time.monotonic() - due)


async def repeated(work: Callable[[], Awaitable[object]], times: int) -> float:
    """Seconds of CPU that one `work` takes: the median over blocks of many, one after another."""
    await work()
    blocks = []
    for _ in range(_BLOCKS):
        began = time.process_time()
        for _ in range(times // _BLOCKS):
            await work()
        blocks.append(time.process_time() - began)
    return statistics.median(blocks) / (times // _BLOCKS)


def repeated_sync(work: Callable[[], object], times: int) -> float:
    """The same for code that waits."""
    work()
    blocks = []
    for _ in range(_BLOCKS):
        began = time.process_time()
        for _ in range(times // _BLOCKS):
            work()
        blocks.append(time.process_time() - began)
    return statistics.median(blocks) / (times // _BLOCKS)
