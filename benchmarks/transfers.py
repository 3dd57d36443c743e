"""One large file up and down: how fast, with how much memory, and whether the event loop goes on meanwhile.

Rule: pairs side by side, seven of them; curl stands for what the machine itself can do.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from .race import Effort, Figures, Server, alternate, column, folder, run, serving
from .table import CURL, OURS, RAW, TRANSFERS, VENDOR, Samples

FULL, QUICK = 300_000_000, 100_000_000


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The figures of all rows of this group, those that are wanted."""
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
    def one(who: str) -> Figures | None:
        with folder() as path:
            file = path / "large.png"
            with file.open("wb") as large:
                large.truncate(size)  # sparse: the disk has no part in it
            file.read_bytes()
            settings: dict[str, Any] = {"url": server.url, "folder": str(path), "file": str(file)}
            figures = _curl(way, settings) if who == CURL else run(who, way.replace("/", "_"), settings)
            if figures is None:
                return None
            if way.startswith("down") and not any(
                other.stat().st_size == size for other in path.rglob("*.*") if other != file
            ):
                raise SystemExit(f"{who} did not save the whole file")
        return {**figures, "rate": size / 1e6 / figures["wall"]}

    contestants = (OURS, RAW, CURL) if shutil.which("curl") else (OURS, RAW)
    taken = alternate(contestants, effort.times(7, 2), one)
    return {**taken, **alternate((VENDOR,), effort.times(3), one)}


def _curl(way: str, settings: dict[str, Any]) -> Figures:
    """Two requests as the others make, the second of them by curl; its own start-up is not counted."""
    target = str(Path(settings["folder"]) / "output.bin")
    moving = ["--upload-file", settings["file"], "-o", target] if way.startswith("up") else ["-o", target]
    url = settings["url"] + ("/input/0.png" if way.startswith("up") else "/media/some-0.png")
    command = ["curl", "--silent", "--fail", "-H", "Expect:", *moving, "--write-out", "%{json}", url]
    began = time.monotonic()
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {"wall": min(told["time_total"], time.monotonic() - began)}
