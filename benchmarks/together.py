"""Many jobs at once: wall time, CPU time, connections and stalls of the event loop; and how they grow with the jobs.

Rule: every contestant looks at its jobs every 0.5 s and makes the same requests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from .race import Effort, Figures, alternate, column, folder, run, serving
from .table import COUNTS, GROWN, KINDS, OURS, RAW, VENDOR, Samples, median

JOB_SECONDS = 2.0
OUTPUT_SECONDS = 0.1
_FIGURES = ("wall", "cpu", "connections", "stall")
_THREADS = 50
QUICK = (1, 200)


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The figures of the wanted rows of this group."""
    found: dict[str, Samples] = {}
    for count in COUNTS:
        for kind in KINDS:
            if any(row.startswith(f"jobs/{count}/{kind}/") for row in wanted):
                taken = _jobs(count, kind, effort)
                found.update({f"jobs/{count}/{kind}/{figure}": column(taken, figure) for figure in _FIGURES})
    if wanted & {"jobs/threads/wall", "jobs/threads/cpu"}:
        threads = partial(_one, what="threads", count=_THREADS, kind="images+files")
        taken = alternate((OURS, RAW, VENDOR), effort.times(3), threads)
        found.update({f"jobs/threads/{figure}": column(taken, figure) for figure in ("wall", "cpu")})
    if "jobs/outputs/wall" in wanted:
        found["jobs/outputs/wall"] = column(alternate((OURS, RAW, VENDOR), effort.times(7), _outputs), "wall", 1000)
    if "server/share" in wanted:
        taken = alternate((OURS, RAW), effort.times(3), partial(_one, what="jobs", count=200, kind="images+files"))
        found["server/share"] = column(taken, "share")
    return found


def _jobs(count: int, kind: str, effort: Effort) -> dict[str, list[Figures]]:
    saved = kind.endswith("files")
    times = effort.times(5 if saved and count >= 200 else 1)
    if effort.quick and (count not in QUICK or not saved):
        return {}
    taken = alternate((OURS, RAW), times, partial(_one, what="jobs", count=count, kind=kind))
    if effort.quick and count > 1:
        return taken
    # Once: it is so much slower that more rounds would only take time.
    return {**taken, **alternate((VENDOR,), 1, partial(_one, what="jobs", count=count, kind=kind, patience=40.0))}


def _one(who: str, what: str, count: int, kind: str, patience: float = 120.0) -> Figures | None:
    with serving(job_seconds=JOB_SECONDS) as server, folder() as path:
        settings: dict[str, Any] = {
            "url": server.url,
            "folder": str(path),
            "count": count,
            "kind": "image" if kind.startswith("images") else "video",
            "download": kind.endswith("files"),
            "poll": 0.5,
        }
        figures = run(who, what, settings, patience)
        if figures is None:
            return None
        stats = server.stats()
        if kind.endswith("files") and len([*path.rglob("*.*")]) < count:
            raise SystemExit(f"{who} saved too few files")
    share = 100 * stats["cpu_seconds"] / figures["wall"]
    return {**figures, "connections": stats["connections"] - 1, "requests": stats["requests"], "share": share}


def _outputs(who: str) -> Figures | None:
    with serving(output_delay=OUTPUT_SECONDS) as server, folder() as path:
        return run(who, "save", {"url": server.url, "folder": str(path)})


def grow(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The exponents with which figures grow."""
    counts = GROWN[:2] if effort.quick else GROWN
    sizes: dict[str, dict[str, list[float]]] = {}
    for count in counts:
        taken = alternate((OURS, RAW), effort.times(3), partial(_one, what="jobs", count=count, kind="images+files"))
        for key, beyond in (("cpu", 0.0), ("wall", JOB_SECONDS), ("memory", 0.0)):
            for who, samples in column(taken, key).items():
                middle = (median(samples) or 0.0) - beyond
                sizes.setdefault(f"growth/{key}", {}).setdefault(who, []).append(middle)
    return {
        row: {who: [exponent(counts, several)] for who, several in by.items()}
        for row, by in sizes.items()
        if row in wanted
    }


def exponent(counts: Sequence[int], sizes: Sequence[float]) -> float:
    """The slope of sizes over counts, both as logarithms, by least squares; 1 is in proportion.

    >>> round(exponent([1, 10, 100], [3, 30, 300]), 3)
    1.0
    """
    points = [(math.log(count), math.log(max(size, 1e-6))) for count, size in zip(counts, sizes, strict=True)]
    x, y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    slope: float = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    return slope
