"""One large file up and down: how fast, with how much memory, and whether the event loop keeps running.

Rule: pairs side by side, seven of them, each of several transfers one after another, of which the median counts; files
lie in memory, so that the disk has no part in it. curl stands for what the machine itself can do.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from .contestants.course import remove_saved
from .race import Effort, Figures, Server, alternate, column, folder, run, serving
from .table import CURL, OURS, RAW, TRANSFERS, VENDOR, Samples

FULL, QUICK = 300_000_000, 100_000_000
TIMES, QUICK_TIMES = 5, 2


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The figures of the wanted rows of this group."""
    found: dict[str, Samples] = {}
    size = effort.times(FULL, QUICK)
    for way in TRANSFERS:
        if not any(row.startswith(f"transfer/{way}/") for row in wanted):
            continue
        with serving(output_bytes=size) as server:
            taken = _way(way, server, size, effort)
        found[f"transfer/{way}/rate"] = column(taken, "rate")
        for figure in ("memory", "stall"):
            measured = {who: several for who, several in taken.items() if who != CURL}
            if figure == "memory" or way.endswith("async"):
                found[f"transfer/{way}/{figure}"] = column(measured, figure)
    return found


def _way(way: str, server: Server, size: int, effort: Effort) -> dict[str, list[Figures]]:
    times = effort.times(TIMES, QUICK_TIMES)

    def one(who: str) -> Figures | None:
        with folder(in_memory=True) as path:
            file = path / "large.png"
            with file.open("wb") as large:
                large.truncate(size)
            settings: dict[str, Any] = {"url": server.url, "folder": str(path), "file": str(file), "times": times}
            figures = _curl(way, settings) if who == CURL else run(who, way.replace("/", "_"), settings)
            if figures is None:
                return None
        if way.startswith("down") and figures["saved"] < times:
            raise SystemExit(f"{who} did not save the whole file")
        return {**figures, "rate": size / 1e6 / figures["each"]}

    contestants = (OURS, RAW, CURL) if shutil.which("curl") else (OURS, RAW)
    taken = alternate(contestants, effort.times(7, 2), one)
    return {**taken, **alternate((VENDOR,), effort.times(3), one)}


def _curl(way: str, settings: dict[str, Any]) -> Figures:
    """The same requests as the others, except those to the API; the start-up of curl is not counted."""
    seconds, saved = [], 0
    for number in range(settings["times"]):
        target = str(Path(settings["folder"]) / f"output-{number}.bin")
        moving = ["--upload-file", settings["file"], "-o", target] if way.startswith("up") else ["-o", target]
        url = settings["url"] + ("/input/0.png" if way.startswith("up") else f"/media/large-{number}-0.png")
        command = ["curl", "--silent", "--fail", "-H", "Expect:", *moving, "--write-out", "%{json}", url]
        began = time.monotonic()
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        seconds.append(min(told["time_total"], time.monotonic() - began))
        saved += remove_saved(settings)
    return {"each": statistics.median(seconds), "saved": saved}
