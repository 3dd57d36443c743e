"""How soon a finished job is noticed, and with how many requests; with the intervals that users get.

Long jobs run on a faster clock: the server's job is shorter by the factor by which our own clock is quicker, and for
the others, which look at fixed intervals, the interval is shorter. Delays are told in the job's own time.

Rule: instants of both processes come from the one clock that they share.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from .race import Effort, Figures, column, folder, run, serving
from .table import DURATIONS, OURS, RAW, VENDOR, Samples

REAL_SECONDS = 6.0
"""How long a job on a faster clock takes."""


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The figures of the wanted rows of this group. All wait at the same time, because waiting takes no CPU."""
    chosen = [name for name in DURATIONS if wanted & {f"wait/{name}/requests", f"wait/{name}/delay"}]
    pairs = [(name, who) for name in chosen for who in (OURS, RAW, VENDOR)]
    taken: dict[tuple[str, str], list[Figures]] = {pair: [] for pair in pairs}
    with ThreadPoolExecutor(max(1, len(pairs))) as pool:
        for _ in range(effort.times(3)):
            for pair, figures in zip(pairs, pool.map(_one, pairs), strict=True):
                taken[pair] += [figures] if figures else []
    found: dict[str, Samples] = {}
    for name in chosen:
        several = {who: taken[name, who] for who in (OURS, RAW, VENDOR)}
        found[f"wait/{name}/requests"] = column(several, "looks")
        found[f"wait/{name}/delay"] = column(several, "delay")
    return found


def _one(pair: tuple[str, str]) -> Figures | None:
    name, who = pair
    seconds = DURATIONS[name][0]
    scale = seconds / REAL_SECONDS if seconds > 10 else 1.0
    with serving(job_seconds=seconds / scale) as server, folder() as path:
        settings = {"url": server.url, "folder": str(path), "scale": scale, "poll": 0.5}
        figures = run(who, "wait", settings)
        jobs = [*server.stats()["jobs"].values()]
    return figures and {"delay": scale * (figures["ended"] - jobs[0]["done_at"]), "looks": jobs[0]["looks"]}
