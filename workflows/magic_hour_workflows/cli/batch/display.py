"""A running batch on stderr: its statistics, plain lines for logs and pipes, one live panel for a person at a terminal.

Rule: the counts are the database's, since several machines may work on one batch; speed and activity are measured here.
A line per finished row, and one every 30 s, so that a long wait is not mistaken for a dead process. The panel is drawn
from `Stats` in a thread of its own: drawing never holds up a row, and the panel disappears at the end.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from magic_hour_client._runtime.redaction import escaped

from ..._formatting import shown
from ...batch._rows import RowResult, RowStatus, Summary
from ...events import Created, Downloading, Event, StatusChanged, Uploading
from ..printing import drawing_console

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

HEARTBEAT_SECONDS = 30.0
COLORS = {
    RowStatus.SAVED: "green",
    RowStatus.FAILED: "red",
    RowStatus.DOUBTFUL: "yellow",
    RowStatus.SKIPPED: "magenta",
    RowStatus.RUNNING: "cyan",
    RowStatus.WAITING: "bright_black",
}
"""In the order of the bar."""
WIDEST_BAR = 72
_FRAMES_PER_SECOND = 4


WINDOW_SECONDS = 60.0
"""The time over which the speed is measured."""
LAST_ERRORS = 3
ENDED = (RowStatus.SAVED, RowStatus.FAILED, RowStatus.DOUBTFUL, RowStatus.SKIPPED)
ACTIVITIES = ("uploading", "queued", "rendering", "saving")
"""What the rows in progress may be doing, in that order; the service may know others."""


class Stats:
    """Written from threads, read from threads."""

    def __init__(self, summary: Summary, now: Callable[[], float] = time.monotonic) -> None:
        self.summary: Summary = summary
        self._now = now
        self._began = now()
        self._ends: deque[float] = deque()
        self._activities: dict[str, str] = {}
        self._errors: deque[RowResult] = deque(maxlen=LAST_ERRORS)
        self._lock = threading.Lock()

    def on_event(self, key: str, event: Event) -> None:
        match event:
            case Uploading():
                activity = "uploading"
            case Created():
                activity = "queued"
            case StatusChanged(status=status):
                activity = "saving" if status == "complete" else status
            case Downloading():
                activity = "saving"
            case _:
                return
        with self._lock:
            self._activities[key] = activity

    def row_ended(self, result: RowResult) -> None:
        with self._lock:
            self._activities.pop(result.key, None)
            self._ends.append(self._now())
            if result.error is not None and result.status is not RowStatus.SKIPPED:
                self._errors.append(result)

    @property
    def total(self) -> int:
        return self.summary.rows

    @property
    def done(self) -> int:
        return sum(self.summary.counts.get(status, 0) for status in ENDED)

    @property
    def activities(self) -> Sequence[tuple[str, int]]:
        """What the rows in progress are doing, and how many do it."""
        with self._lock:
            counted = Counter(self._activities.values())
        known = [(activity, counted.pop(activity)) for activity in ACTIVITIES if activity in counted]
        return [*known, *sorted(counted.items())]

    @property
    def errors(self) -> Sequence[RowResult]:
        with self._lock:
            return list(self._errors)

    @property
    def rows_per_minute(self) -> float | None:
        """The recent speed; None if it is not known yet."""
        now = self._now()
        with self._lock:
            while self._ends and self._ends[0] < now - WINDOW_SECONDS:
                self._ends.popleft()
            seconds = min(now - self._began, WINDOW_SECONDS)
            return len(self._ends) * 60.0 / seconds if self._ends and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at this speed."""
        speed = self.rows_per_minute
        return None if speed is None else (self.total - self.done) * 60.0 / speed


class Lines:
    """Prints what happens, line by line; with `quiet` only what must be reported."""

    def __init__(
        self, stats: Stats, out: Callable[[str], object], *, quiet: bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._stats = stats
        self._out = out
        self._quiet = quiet
        self._now = now
        self._printed_at = now()
        self._halted = False

    def row_ended(self, result: RowResult) -> None:
        if not self._quiet:
            self._out(row_line(result))
            self._printed_at = self._now()

    def tick(self, halted: str | None) -> None:
        if halted is not None and not self._halted:
            self._halted = True
            self._out(f"magic-hour: {halt_line(halted)}")
        if not self._quiet and self._now() - self._printed_at >= HEARTBEAT_SECONDS:
            self._printed_at = self._now()
            self._out(heartbeat(self._stats))


class Panel:
    """Draws the stats under a title."""

    def __init__(self, stats: Stats, title: str) -> None:
        self._stats = stats
        self._title = title
        self._halted: str | None = None

    def row_ended(self, result: RowResult) -> None:
        """Nothing to do: the stats have the row."""

    def tick(self, halted: str | None) -> None:
        self._halted = halted

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        stats = self._stats
        width = max(10, min(WIDEST_BAR, console.width - 2))
        share = stats.done / stats.total if stats.total else 1.0
        yield Text.assemble((shown(self._title), "bold"), f"  {stats.done:,} of {stats.total:,}  {share:.0%}")
        yield self._bar(width)
        yield _dim(f"{n:,} {status}" for status in COLORS if (n := stats.summary.counts.get(status)))
        speed = speed_of(stats)
        yield _dim([*([speed] if speed else []), f"{stats.summary.credits:,.10g} credits"])
        if activities := stats.activities:
            yield _dim(f"{activity} {count}" for activity, count in activities)
        for result in stats.errors:
            yield Text(row_line(result), style=COLORS[result.status], no_wrap=True, overflow="ellipsis")
        if self._halted:
            yield Text(halt_line(self._halted), style="bold yellow")

    def _bar(self, width: int) -> Text:
        from rich.text import Text

        counts, total = self._stats.summary.counts, max(self._stats.total, 1)
        bar, before, drawn = Text(), 0, 0
        for status, color in COLORS.items():
            before += counts.get(status, 0)
            until = round(width * before / total)
            bar.append("━" * (until - drawn), color)
            drawn = until
        return bar


def _dim(parts: Iterator[str] | list[str]) -> Text:
    from rich.text import Text

    return Text(" · ".join(parts), style="bright_black", no_wrap=True, overflow="ellipsis")


@contextmanager
def live(panel: Panel, *, wanted: bool = True) -> Iterator[bool]:
    """Draw the panel while the block runs; yields False if it is not wanted, or this terminal cannot."""
    console = drawing_console() if wanted else None
    if console is None:
        yield False
        return
    from rich.live import Live

    # stdout is for programs: it must not be drawn above the panel.
    with Live(panel, console=console, refresh_per_second=_FRAMES_PER_SECOND, transient=True, redirect_stdout=False):
        yield True


def halt_line(reason: str) -> str:
    """The line that says why a batch is halted, and what happens next."""
    again = "; Ctrl-C again stops at once, and no job is lost" if reason == "interrupted" else ""
    return f"{escaped(reason)}: no more jobs are submitted; waiting for those in progress{again}"


def heartbeat(stats: Stats) -> str:
    wanted = (RowStatus.FAILED, RowStatus.DOUBTFUL, RowStatus.SKIPPED, RowStatus.RUNNING)
    counts = stats.summary.counts
    parts = [f"{stats.done:,} of {stats.total:,} rows done"]
    parts += [f"{counts[status]:,} {status}" for status in wanted if counts.get(status)]
    if speed := speed_of(stats):
        parts.append(speed)
    return f"{', '.join(parts)}; {stats.summary.credits:,.10g} credits"


def speed_of(stats: Stats) -> str | None:
    if stats.rows_per_minute is None or stats.seconds_left is None:
        return None
    return f"{stats.rows_per_minute:,.0f} rows/min, about {duration(stats.seconds_left)} left"


def row_line(result: RowResult) -> str:
    seconds = "" if result.seconds is None else f", {result.seconds:.1f} s"
    if result.status is RowStatus.SAVED:
        cost = "" if result.credits is None else f", {result.credits:g} credits"
        return f"saved     {shown(result.key)}: {', '.join(shown(path.name) for path in result.paths)}{cost}{seconds}"
    what = {RowStatus.RUNNING: "left", RowStatus.SKIPPED: "left out"}.get(result.status, str(result.status))
    return f"{what:<8}  {shown(result.key)}: {escaped(' '.join((result.error or 'stopped').split()))}"


def counted(number: int, what: str) -> str:
    """
    >>> counted(1, "row"), counted(2000, "file")
    ('1 row', '2,000 files')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """
    >>> duration(4.2), duration(95), duration(7300), duration(200000)
    ('4 s', '1 min 35 s', '2 h 1 min', '55 h 33 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
