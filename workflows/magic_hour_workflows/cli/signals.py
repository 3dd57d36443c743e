"""Being told to end: by Ctrl-C, by a service manager, by a terminal that is closed.

Rule: the first signal ends a command, and no later one does: it would replace what the first one found out about the
job. A batch takes the first Ctrl-C as a wish; whoever sends a signal from outside sends SIGKILL next, so that one ends
at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_FROM_OUTSIDE = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_ALL = (signal.SIGINT, *_FROM_OUTSIDE)


class Terminated(KeyboardInterrupt):
    """The process was asked to end from outside. Flows treat it as they treat Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def handled() -> Iterator[None]:
    """Let the first signal end the work, and nothing that end. What is ignored, as under nohup, stays ignored."""
    over = False

    def end(number: int, _: FrameType | None) -> None:
        nonlocal over
        if not over:
            over = True
            raise _raised(number)

    with _handlers(end):
        yield


@contextmanager
def ignored() -> Iterator[None]:
    """Let nothing cut off the last words.

    By a handler that does nothing: `SIG_IGN` makes Python print a warning about a signal that has just arrived.
    """
    with _handlers(lambda number, frame: None):
        yield


@contextmanager
def gently(first: Callable[[], object]) -> Iterator[None]:
    """Let the first Ctrl-C call `first`, let the next one or a signal from outside end the work, and nothing that end.

    Args:
        first: is called in the middle of anything, so it neither prints nor waits.
    """
    asked = over = False

    def end(number: int, _: FrameType | None) -> None:
        nonlocal asked, over
        if over:
            return
        if number == signal.SIGINT and not asked:
            asked = True
            first()
            return
        over = True
        raise _raised(number)

    with _handlers(end):
        yield


def _raised(number: int) -> KeyboardInterrupt:
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Handle all signals in the block, but for those that are ignored, or handled outside of Python."""
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
