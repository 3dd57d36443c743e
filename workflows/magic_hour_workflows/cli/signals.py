"""Being told to end: by Ctrl-C, by a service manager, by a terminal that is closed.

Rule: each of them ends a command as Ctrl-C does, so that it still tells how to pick its job up, undisturbed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
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
