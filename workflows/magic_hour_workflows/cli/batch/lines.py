"""A batch in plain lines: for logs, pipes and terminals that cannot draw.

Rule: a line for each row that ended, and one every 30 s so that nobody takes a long wait for a dead process.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from magic_hour_client._runtime.redaction import escaped

from ..._formatting import shown
from ...batch._rows import RowResult, RowStatus
from .stats import Tally, duration

HEARTBEAT_SECONDS = 30.0


class Lines:
    """Says what happens.

    Args:
        tally: what there is to say.
        out: takes a line.
        quiet: only what must be said.
        now: a clock.
    """

    def __init__(
        self, tally: Tally, out: Callable[[str], object], *, quiet: bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._tally = tally
        self._out = out
        self._quiet = quiet
        self._now = now
        self._spoke = now()
        self._halted = False

    def ended(self, result: RowResult) -> None:
        """A row came to its end."""
        if not self._quiet:
            self._out(row_line(result))
            self._spoke = self._now()

    def tick(self, halted: str | None) -> None:
        """Time passed."""
        if halted is not None and not self._halted:
            self._halted = True
            self._out(f"magic-hour: {halt_line(halted)}")
        if not self._quiet and self._now() - self._spoke >= HEARTBEAT_SECONDS:
            self._spoke = self._now()
            self._out(heartbeat(self._tally))


def halt_line(reason: str) -> str:
    """What it means that a batch is halted."""
    again = "; Ctrl-C again stops at once, and nothing is lost" if reason == "interrupted" else ""
    return f"{escaped(reason)}: no more jobs are submitted, those under way are waited for{again}"


def heartbeat(tally: Tally) -> str:
    """How a batch stands, in a line."""
    parts = [f"{tally.done:,} of {tally.total:,} rows ended", *counted(tally)]
    if speed := speed_of(tally):
        parts.append(speed)
    return "; ".join([", ".join(parts), f"{tally.summary.credits:,.10g} credits"])


def counted(tally: Tally) -> list[str]:
    """What stands out of the counts."""
    wanted = (RowStatus.FAILED, RowStatus.DOUBTFUL, RowStatus.SKIPPED, RowStatus.RUNNING)
    return [f"{tally.summary.counts[status]:,} {status}" for status in wanted if tally.summary.counts.get(status)]


def speed_of(tally: Tally) -> str | None:
    """How fast it goes, and how long it will take."""
    if tally.per_minute is None or tally.left_seconds is None:
        return None
    return f"{tally.per_minute:,.0f} rows/min, about {duration(tally.left_seconds)} left"


def row_line(result: RowResult) -> str:
    """What became of a row, in a line."""
    seconds = "" if result.seconds is None else f", {result.seconds:.1f} s"
    if result.status is RowStatus.SAVED:
        cost = "" if result.credits is None else f", {result.credits:g} credits"
        return f"saved     {shown(result.key)}: {', '.join(shown(path.name) for path in result.paths)}{cost}{seconds}"
    what = {RowStatus.RUNNING: "left", RowStatus.SKIPPED: "left out"}.get(result.status, str(result.status))
    return f"{what:<8}  {shown(result.key)}: {escaped(' '.join((result.error or 'stopped').split()))}"
