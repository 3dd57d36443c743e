"""What a command prints: results on stdout, progress on stderr.

Rule: whatever the state of one stream (closed, full, broken, or unable to encode a character), the other still reports
a paid job. Neither prints the signature of a URL, nor a control character other than line breaks. The line with the id
of an accepted job is always printed, and stays on the screen; progress bars disappear when they are done.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from magic_hour_client._runtime.redaction import escaped, without_secrets

from ..events import Created, Downloading, Event, Retrying, StatusChanged, Uploading

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Print = Callable[[str], object]
Resume = Callable[[str, str], str | None]

_UNDECODABLE = "".join(map(chr, range(0xDC80, 0xDD00)))
"""How Python holds the bytes of a path that are not valid text: `prepare` lets stdout write them as they are."""


def prepare() -> None:
    """Let both streams write any path and any prompt."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
        with suppress(AttributeError, ValueError):  # replaced by a simpler object, or closed
            stream.reconfigure(errors="surrogateescape" if encoding == "utf8" else "backslashreplace")  # type: ignore[union-attr]


def safe(text: str) -> str:
    """`text` as it may be printed: line breaks stay, other control characters are escaped."""
    return escaped(without_secrets(text), keep="\n")


class Formatter(logging.Formatter):
    """Writes log records as everything else is printed."""

    def format(self, record: logging.LogRecord) -> str:
        return safe(super().format(record))


def to_stderr(text: str) -> None:
    """One line in one write, so that lines of threads do not mix. Ignored if it cannot be written."""
    with suppress(OSError, ValueError, AttributeError):
        _write(sys.stderr, safe(text))


def to_stdout(text: str) -> None:
    """A result, of which the caller has removed the secrets: what is one depends on whether it is text or JSON.

    Raises:
        OSError: it cannot be written: a closed pipe, or a full disk.
    """
    if sys.stdout is None:  # closed by the shell: the result is not wanted
        return
    _write(sys.stdout, escaped(text, keep=f"\n{_UNDECODABLE}"))


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(f"{text}\n")
    except UnicodeEncodeError:  # a stream that `prepare` could not configure
        stream.write(f"{text.encode('ascii', 'backslashreplace').decode('ascii')}\n")
    stream.flush()


# Progress


@contextmanager
def show_progress(resume: Resume, *, quiet: bool) -> Iterator[Callable[[Event], None]]:
    """A listener for the events of one call; `resume` has the command that resumes a job, by its kind and id."""
    console = None if quiet else drawing_console()
    if console is None:
        yield Lines(to_stderr, resume, quiet=quiet)
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), BarColumn(bar_width=30))
    details = (TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
    with Progress(*columns, *details, console=console, transient=True) as bars:
        yield Bars(bars, Lines(lambda text: console.print(safe(text), soft_wrap=True), resume, transfers=False))


def is_live(stream: TextIO | None) -> bool:
    """Whether this is a terminal that can draw."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def drawing_console() -> Console | None:
    """Standard error, if it is a terminal on which rich can draw."""
    if not is_live(sys.stderr):
        return None
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    return console if console.is_interactive else None


class Lines:
    """One line for each event worth a line."""

    def __init__(self, out: Print, resume: Resume, *, quiet: bool = False, transfers: bool = True) -> None:
        self._out = out
        self._resume = resume
        self._quiet = quiet
        self._transfers = transfers

    def __call__(self, event: Event) -> None:
        match event:
            case Created(id=id, kind=kind, credits_charged=credits):
                cost = "" if credits is None else f" for {credits:g} credits"
                resume = self._resume(kind, id)
                how = "" if resume is None else f"; if interrupted, resume: {resume}"
                self._out(f"{kind} job {escaped(id)} accepted{cost}{how}")
            case _ if self._quiet:
                pass
            case Retrying(reason=reason, delay=delay):
                self._out(f"{escaped(reason)}; retrying in {delay:.1f} s")
            case _ if not self._transfers:
                pass
            case StatusChanged(status=status, elapsed=elapsed) if status != "complete":  # the last line says so
                self._out(f"{escaped(status)} after {elapsed:.0f} s")
            case Uploading(name=name, sent=sent, total=total) if sent == total:
                self._out(f"uploaded {escaped(name)}, {size(total)}")
            case Downloading(name=name, received=received, total=total) if received == total:
                self._out(f"downloaded {escaped(name)}, {size(received)}")


class Bars:
    """A bar for each transfer, and one for the job."""

    def __init__(self, bars: Progress, lines: Lines) -> None:
        self._bars = bars
        self._lines = lines
        self._tasks: dict[str, int] = {}
        self._lock = threading.Lock()  # files are transferred in threads

    def __call__(self, event: Event) -> None:
        self._lines(event)
        match event:
            case Uploading(name=name, sent=sent, total=total):
                self._transfer(f"uploading {name}", sent, total)
            case Created():
                self._job("waiting")
            case StatusChanged(status=status):
                self._job(status)
            case Downloading(name=name, received=received, total=total):
                self._transfer(f"downloading {name}", received, total)

    def _transfer(self, description: str, done: int, total: int | None) -> None:
        detail = size(done) if total is None else f"{size(done)} of {size(total)}"
        self._bars.update(self._task(description, description), completed=done, total=total, detail=detail)  # type: ignore[arg-type]

    def _job(self, status: str) -> None:
        task = self._task("the job", status)
        total = 1 if status == "complete" else None  # without a total, the bar pulses
        self._bars.update(task, description=escaped(status), total=total, completed=total or 0)  # type: ignore[arg-type]

    def _task(self, key: str, description: str) -> int:
        with self._lock:
            if key not in self._tasks:
                self._tasks[key] = self._bars.add_task(escaped(description), total=None, detail="")
            return self._tasks[key]


def size(count: int) -> str:
    """A number of bytes, for people.

    >>> size(0), size(999), size(1_500_000)
    ('0 B', '999 B', '1.5 MB')
    """
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
