"""How soon it is noticed that a job is done, and how many requests that takes; with the intervals users get.

Long jobs run on a faster clock: the server's job is shorter by the factor by which our own clock is quicker, and for
the others, which look at fixed intervals, the interval is shorter. Delays are told in the job's own time.

Rule: instants of both processes come from the one clock that they share.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .race import Effort, Figures, alternate, column, folder, run, serving
from .table import DURATIONS, OURS, RAW, VENDOR, Samples

REAL_SECONDS = 6.0
"""How long a job on a faster clock takes."""


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The figures of all rows of this group, those that are wanted."""
    chosen = [name for name in DURATIONS if wanted & {f"wait/{name}/requests", f"wait/{name}/delay"}]
    found: dict[str, Samples] = {}
    with ThreadPoolExecutor(max(1, len(chosen))) as pool:  # waiting is idle work
        for name, samples in zip(chosen, pool.map(partial(_duration, effort=effort), chosen), strict=True):
            found[f"wait/{name}/requests"] = samples["looks"]
            found[f"wait/{name}/delay"] = samples["delay"]
    return found


def _duration(name: str, effort: Effort) -> dict[str, Samples]:
    seconds = DURATIONS[name][0]
    scale = seconds / REAL_SECONDS if seconds > 10 else 1.0

    def one(who: str) -> Figures | None:
        with serving(job_seconds=seconds / scale) as server, folder() as path:
            settings = {"url": server.url, "folder": str(path), "scale": scale, "poll": 0.5}
            figures = run(who, "wait", settings)
            [job] = server.stats()["jobs"].values()
        return figures and {"delay": scale * (figures["ended"] - job["done_at"]), "looks": job["looks"]}

    taken = alternate((OURS, RAW, VENDOR), effort.times(3), one)
    return {key: column(taken, key) for key in ("delay", "looks")}
