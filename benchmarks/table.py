"""What is measured: one line for each figure, with its goal and how it is measured.

Rule: a figure that is not here is not in the report; a goal stands nowhere else.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

import attrs

Samples = Mapping[str, Sequence[float]]
"""The samples of each contestant, in the order in which they were taken."""
OURS, RAW, VENDOR, CURL = "ours", "httpx", "magic_hour", "curl"
CONTESTANTS = (OURS, RAW, VENDOR, CURL)

COUNTS = (1, 50, 200, 1000)
KINDS = ("images", "images+files", "talking", "talking+files")
DURATIONS: Mapping[str, tuple[float, int, float]] = {
    # seconds of the job, most requests, longest delay in seconds (the promise of the schedule and a round trip)
    "2s": (2, 3, 1.05),
    "10s": (10, 11, 1.55),
    "60s": (60, 26, 9.5),
    "30min": (1800, 100, 31),
}
TRANSFERS = ("up/sync", "up/async", "down/sync", "down/async")
GROWN = (10, 32, 100, 316, 1000)


@attrs.frozen
class Goal:
    """A limit, of our own figure or of its ratio to another contestant's."""

    limit: float
    to: str | None = None
    at_least: bool = False

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.limit:g}" + (f" x {self.to}" if self.to else "")

    def met(self, samples: Samples) -> bool | None:
        """Whether the goal is met; None if there are no figures."""
        figure = ratio(samples, self.to) if self.to else median(samples.get(OURS, ()))
        if figure is None:
            return None
        return figure >= self.limit if self.at_least else figure <= self.limit


@attrs.frozen
class Row:
    """One figure."""

    name: str
    unit: str
    how: str
    goal: Goal | None = None


def median(samples: Sequence[float]) -> float | None:
    return statistics.median(samples) if samples else None


def ratio(samples: Samples, to: str = RAW) -> float | None:
    """Our figure divided by another contestant's: the median over the pairs that were taken side by side."""
    ours, theirs = samples.get(OURS, ()), samples.get(to, ())
    if not ours or not theirs:
        return None
    if len(ours) == len(theirs) and all(theirs):
        return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    other = statistics.median(theirs)
    return statistics.median(ours) / other if other else None


def _start() -> Iterator[Row]:
    over = "a process that does only this, less one that does nothing; wall time"
    yield Row("start/import", "ms", f"import of the package: {over}", Goal(30))
    yield Row("start/import-client", "ms", f"import of the package's client class: {over}")
    yield Row("start/modules", "modules", "in sys.modules after the import, less those of a bare interpreter")
    yield Row("start/modules-client", "modules", "the same after the import of the client class")
    yield Row("start/memory", "MiB", "peak memory that the import of the client class adds")
    yield Row("start/client", "ms", f"import and `Client()`, ready for use: {over}")
    answer = "from before the import to the first answer to a GET, within the process"
    yield Row("start/first-answer", "ms", answer, Goal(1.1, RAW))
    yield Row("start/help", "ms", "`magic-hour --help`, the whole process, against `import httpx, attrs`", Goal(2, RAW))
    yield Row("start/version", "ms", "`magic-hour --version`, the whole process, against `import httpx, attrs`")


def _requests() -> Iterator[Row]:
    cpu = "CPU time of one of many calls one after another"
    for world in ("sync", "async"):
        yield Row(f"requests/get/{world}", "µs", f"looking at a job: {cpu}", Goal(1.25, RAW))
        fresh = "every contestant that can opens a connection for each"
        yield Row(f"requests/create/{world}", "µs", f"submitting a job: {cpu}; {fresh}", Goal(1.25, RAW))
        kept = "raw httpx keeps its connection, we do not: what that safety costs"
        yield Row(f"requests/create-kept/{world}", "µs", f"submitting a job: {cpu}; {kept}")
    yield Row("requests/decisions", "µs", "CPU time of `generate` for each call or pause, without any network")


def _waiting() -> Iterator[Row]:
    for name, (_, requests, delay) in DURATIONS.items():
        yield Row(f"wait/{name}/requests", "requests", f"looks at one job of {name}", Goal(requests))
        yield Row(f"wait/{name}/delay", "s", f"from when a job of {name} is done to when it is noticed", Goal(delay))


def _jobs() -> Iterator[Row]:
    for count in COUNTS:
        for kind in KINDS:
            name, saved = f"jobs/{count}/{kind}", kind.endswith("files")
            limit = {200: 1.2, 1000: 1.3}.get(count) if saved else None
            goal = Goal(limit, RAW) if limit else None
            yield Row(f"{name}/wall", "s", f"{count} at once, looked at every 0.5 s; ideally 2 s", goal)
            yield Row(f"{name}/cpu", "s", "CPU time of the same")
            yield Row(f"{name}/connections", "connections", "opened for the same")
            stall = Goal(100) if count == 200 and saved else None
            yield Row(f"{name}/stall", "ms", "the longest time in which the event loop did nothing else", stall)
    yield Row("jobs/threads/wall", "s", "50 images at once in threads, with files; ideally 2 s")
    yield Row("jobs/threads/cpu", "s", "CPU time of the same")
    yield Row("jobs/outputs/wall", "ms", "saving four outputs of 100 ms each; ideally 100 ms")


def _transfers() -> Iterator[Row]:
    for way in TRANSFERS:
        goal = Goal(0.85 if way == "down/async" else 0.95, RAW, at_least=True)
        line = "one large file; raw httpx streams, curl shows what the line can do"
        yield Row(f"transfer/{way}/rate", "MB/s", line, goal)
        yield Row(f"transfer/{way}/memory", "MiB", "growth of peak memory during the same", Goal(32))
        if way.endswith("/async"):
            yield Row(f"transfer/{way}/stall", "ms", "longest stall of the event loop during the same", Goal(100))


def _growth() -> Iterator[Row]:
    grown = f"fitted over {', '.join(map(str, GROWN))} images at once, with files"
    yield Row("growth/cpu", "exponent", f"of CPU time over jobs, {grown}", Goal(1.05))
    yield Row("growth/wall", "exponent", f"of wall time beyond the ideal 2 s over jobs, {grown}")
    yield Row("growth/memory", "exponent", f"of the growth of peak memory over jobs, {grown}")


def _generation() -> Iterator[Row]:
    yield Row("generation/full", "s", "`scripts/generate.py`, into an empty folder", Goal(3))
    yield Row("generation/check", "s", "`scripts/generate.py --check`", Goal(3))


def _server() -> Iterator[Row]:
    yield Row("server/requests", "1/s", "GETs that the server answers to bare sockets, and that raw httpx makes")
    yield Row("server/share", "%", "of one core that the server took while 200 images were made, with files")


ROWS: tuple[Row, ...] = (
    *(*_start(), *_requests(), *_waiting(), *_jobs()),
    *(*_transfers(), *_growth(), *_generation(), *_server()),
)
