"""Being told to end: by Ctrl-C, by a service manager, by a terminal that is closed.

Rule: each of them ends a command as Ctrl-C does, so that it still tells how to pick its job up, undisturbed. A batch
takes the first Ctrl-C as a wish; whoever sends a signal from outside sends SIGKILL next, so that one ends at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_FROM_OUTSIDE = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_ALL = (signal.SIGINT, *_FROM_OUTSIDE)


class Terminated(KeyboardInterrupt):
    """The process was asked to end from outside. Flows treat it as they treat Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def handled() -> Iterator[None]:
    """Let the signals from outside raise `Terminated`, but for those that are ignored, as under nohup."""

    def end(number: int, _: object) -> None:
        raise Terminated(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _FROM_OUTSIDE}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, handler)


@contextmanager
def ignored() -> Iterator[None]:
    """Let nothing cut off the last words: a second Ctrl-C would replace what the first one found out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ALL}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def gently(first: Callable[[], object]) -> Iterator[None]:
    """Let the first Ctrl-C call `first`, let the next one or a signal from outside end the work, and nothing that end.

    Args:
        first: is called in the middle of anything, so it neither prints nor waits.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def end(number: int, _: object) -> None:
        nonlocal asked
        if number == signal.SIGINT and not asked:
            asked = True
            first()
            return
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    known = {number: signal.getsignal(number) for number in _ALL}
    before = {number: handler for number, handler in known.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
