"""What is happening, on stderr: live bars for a person at a terminal, plain lines for everybody else.

Rule: the line with the id of an accepted job is always printed, and stays: it is all it takes to get at what was paid
for. Bars go when they are done.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from magic_hour_client._runtime.redaction import escaped

from ..events import Created, Downloading, Event, Retrying, StatusChanged, Uploading
from .streams import safe, to_stderr

if TYPE_CHECKING:
    from rich.progress import Progress

Print = Callable[[str], object]
Resume = Callable[[str, str], str]


@contextmanager
def showing(resume: Resume, *, quiet: bool) -> Iterator[Callable[[Event], None]]:
    """A listener for the events of one call.

    Args:
        resume: kind and id of a job to the command that picks it up.
        quiet: only what must be said.
    """
    bars = None if quiet or not is_live(sys.stderr) else _bars()
    if bars is None:
        yield Lines(to_stderr, resume, quiet=quiet)
        return
    with bars:
        out = bars.console.print
        yield Bars(bars, Lines(lambda text: out(safe(text), soft_wrap=True), resume, transfers=False))


def is_live(stream: TextIO | None) -> bool:
    """Whether a person watches, at a terminal that can draw."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def _bars() -> Progress | None:
    """What draws the bars, if it thinks so too: it knows more terminals, and settings of the environment."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not console.is_interactive:
        return None
    columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), BarColumn(bar_width=30))
    details = (TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
    return Progress(*columns, *details, console=console, transient=True)


class Lines:
    """One line for each thing worth knowing."""

    def __init__(self, out: Print, resume: Resume, *, quiet: bool = False, transfers: bool = True) -> None:
        self._out = out
        self._resume = resume
        self._quiet = quiet
        self._transfers = transfers

    def __call__(self, event: Event) -> None:
        match event:
            case Created(id=id, kind=kind, credits_charged=credits):
                cost = "" if credits is None else f" for {credits:g} credits"
                self._out(f"{kind} job {escaped(id)} accepted{cost}; if this is cut off: {self._resume(kind, id)}")
            case _ if self._quiet:
                pass
            case Retrying(reason=reason, delay=delay):
                self._out(f"{escaped(reason)}; again in {delay:.1f} s")
            case _ if not self._transfers:
                pass
            case StatusChanged(status=status, elapsed=elapsed) if status != "complete":  # the last line says so
                self._out(f"{escaped(status)} after {elapsed:.0f} s")
            case Uploading(name=name, sent=sent, total=total) if sent == total:
                self._out(f"uploaded {escaped(name)}, {size(total)}")
            case Downloading(name=name, received=received, total=total) if received == total:
                self._out(f"downloaded {escaped(name)}, {size(received)}")


class Bars:
    """A bar for each file on its way, and one for the job."""

    def __init__(self, bars: Progress, lines: Lines) -> None:
        self._bars = bars
        self._lines = lines
        self._tasks: dict[str, int] = {}
        self._lock = threading.Lock()  # files are transferred in threads

    def __call__(self, event: Event) -> None:
        self._lines(event)
        match event:
            case Uploading(name=name, sent=sent, total=total):
                self._moved(f"uploading {name}", sent, total)
            case Created():
                self._at("waiting")
            case StatusChanged(status=status):
                self._at(status)
            case Downloading(name=name, received=received, total=total):
                self._moved(f"downloading {name}", received, total)

    def _moved(self, description: str, done: int, total: int | None) -> None:
        detail = size(done) if total is None else f"{size(done)} of {size(total)}"
        self._bars.update(self._task(description, description), completed=done, total=total, detail=detail)  # type: ignore[arg-type]

    def _at(self, status: str) -> None:
        task = self._task("the job", status)
        total = 1 if status == "complete" else None  # without a total, the bar pulses
        self._bars.update(task, description=escaped(status), total=total, completed=total or 0)  # type: ignore[arg-type]

    def _task(self, key: str, description: str) -> int:
        with self._lock:
            if key not in self._tasks:
                self._tasks[key] = self._bars.add_task(escaped(description), total=None, detail="")
            return self._tasks[key]


def size(count: int) -> str:
    """Bytes for people.

    >>> size(0), size(999), size(1_500_000)
    ('0 B', '999 B', '1.5 MB')
    """
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
