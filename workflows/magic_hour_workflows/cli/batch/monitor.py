"""Watching a batch while it runs: who is told of what, and how often the database is asked.

Rule: whatever goes wrong in here is not the batch's failure; it goes on unseen.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from ...batch._batch import Batch
from ...batch._rows import RowResult
from ..printing import is_live
from ..streams import to_stderr
from ..terminal import Terminal
from .display import Panel, live
from .lines import Lines
from .stats import Tally

TICK_SECONDS = 0.25
_LOOK_SECONDS = 1.0
_SHARE = 20
"""The database is asked for a twentieth of the time at most: counting a million rows takes a while."""


class View(Protocol):
    """Shows a batch."""

    def ended(self, result: RowResult) -> None: ...

    def tick(self, halted: str | None) -> None: ...


@contextmanager
def watching(terminal: Terminal, batch: Batch, tally: Tally, title: str) -> Iterator[Callable[[RowResult], None]]:
    """Show the batch for as long as this lasts; gives what is to be told of each row that ended."""
    with _view(terminal, tally, title) as view:
        over = threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(batch, tally, view, over), name="magic-hour-batch-watch", daemon=True
        )
        watcher.start()

        def ended(result: RowResult) -> None:
            tally.ended(result)
            view.ended(result)

        try:
            yield ended
        finally:
            over.set()
            watcher.join()
            view.tick(batch.halted)


@contextmanager
def _view(terminal: Terminal, tally: Tally, title: str) -> Iterator[View]:
    lines = Lines(tally, to_stderr, quiet=terminal.quiet)
    drawn_over = terminal.json and sys.stdout is not None and sys.stdout.isatty()
    if terminal.quiet or drawn_over or not is_live(sys.stderr):
        yield lines
        return
    panel = Panel(tally, title)
    with live(panel) as drawn:
        yield panel if drawn else lines


def _watch(batch: Batch, tally: Tally, view: View, over: threading.Event) -> None:
    look_at = 0.0
    while not over.wait(TICK_SECONDS):
        view.tick(batch.halted)
        began = time.monotonic()
        if began >= look_at:
            with suppress(Exception):  # a database that is busy is asked again
                tally.look(batch.summary())
            spent = time.monotonic() - began
            look_at = began + max(_LOOK_SECONDS, _SHARE * spent)
