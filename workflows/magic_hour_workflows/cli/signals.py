"""Signals: Ctrl-C, a service manager, a terminal that is closed.

Rule: the first signal ends a command, and later ones are ignored: they would discard what the first one found out about
the job. A batch stops gracefully at the first Ctrl-C; SIGTERM and SIGHUP end it at once, since SIGKILL may follow.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_TERMINATING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_ALL = (signal.SIGINT, *_TERMINATING)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP. Flows treat it like Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def first_ends(stop: Callable[[], object] | None = None) -> Iterator[None]:
    """The first signal ends the block; later ones are ignored. What is ignored already, as by nohup, stays ignored.

    Args:
        stop: called by the first Ctrl-C instead of ending the block, at any point of the program; so it must neither
            print nor wait.
    """
    over = False

    def end(number: int, _: FrameType | None) -> None:
        nonlocal stop, over
        if over:
            return
        if number == signal.SIGINT and stop is not None:
            first, stop = stop, None
            first()
            return
        over = True
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    with _handlers(end):
        yield


@contextmanager
def held_back() -> Iterator[None]:
    """No signal interrupts the block, which prints how the command ended.

    A handler that does nothing: `SIG_IGN` makes Python print a warning about a signal that has just arrived.
    """
    with _handlers(lambda number, frame: None):
        yield


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Handle all signals in the block, except those that are ignored or handled outside of Python."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = {number: signal.getsignal(number) for number in _ALL}
    before = {number: was for number, was in known.items() if was not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
