"""A batch for a person at a terminal: one quiet panel that stays where it is, and goes when the batch is done.

Rule: what is drawn is read off the tally, in a thread of its own; nothing here can hold up a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..._formatting import shown
from ...batch._rows import RowResult, RowStatus
from .lines import halt_line, row_line, speed_of
from .stats import Tally

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

COLOURS = {
    RowStatus.SAVED: "green",
    RowStatus.FAILED: "red",
    RowStatus.DOUBTFUL: "yellow",
    RowStatus.SKIPPED: "magenta",
    RowStatus.RUNNING: "cyan",
    RowStatus.WAITING: "bright_black",
}
"""In the order in which they stand in the bar."""
WIDEST_BAR = 72
_FRAMES_PER_SECOND = 4


class Panel:
    """Draws the tally.

    Args:
        tally: what there is to show.
        title: what the batch is called.
    """

    def __init__(self, tally: Tally, title: str) -> None:
        self._tally = tally
        self._title = title
        self._halted: str | None = None

    def ended(self, result: RowResult) -> None:
        """The tally knows."""

    def tick(self, halted: str | None) -> None:
        """Time passed."""
        self._halted = halted

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        tally = self._tally
        width = max(10, min(WIDEST_BAR, console.width - 2))
        share = tally.done / tally.total if tally.total else 1.0
        yield Text.assemble((shown(self._title), "bold"), f"  {tally.done:,} of {tally.total:,}  {share:.0%}")
        yield self._bar(width)
        yield self._line(f"{n:,} {status}" for status in COLOURS if (n := tally.summary.counts.get(status)))
        speed = speed_of(tally)
        yield self._line([*([speed] if speed else []), f"{tally.summary.credits:,.10g} credits"])
        if doing := tally.doing:
            yield self._line(f"{state} {count}" for state, count in doing)
        for result in tally.errors:
            text = row_line(result)
            yield Text(text, style=COLOURS[result.status], no_wrap=True, overflow="ellipsis")
        if self._halted:
            yield Text(halt_line(self._halted), style="bold yellow")

    def _bar(self, width: int) -> Text:
        from rich.text import Text

        counts, total = self._tally.summary.counts, max(self._tally.total, 1)
        bar, before, drawn = Text(), 0, 0
        for status, colour in COLOURS.items():
            before += counts.get(status, 0)
            until = round(width * before / total)
            bar.append("━" * (until - drawn), colour)
            drawn = until
        return bar

    def _line(self, parts: Iterator[str] | list[str]) -> Text:
        from rich.text import Text

        return Text(" · ".join(parts), style="bright_black", no_wrap=True, overflow="ellipsis")


@contextmanager
def live(panel: Panel) -> Iterator[bool]:
    """Draw the panel for as long as this lasts; says whether this terminal can."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not console.is_interactive:
        yield False
        return
    # stdout is for programs: it must not be drawn above the panel.
    with Live(panel, console=console, refresh_per_second=_FRAMES_PER_SECOND, transient=True, redirect_stdout=False):
        yield True
