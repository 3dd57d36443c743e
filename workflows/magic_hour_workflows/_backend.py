"""The port between the decisions and the outside world.

Flows are coroutines that know time, network and disk only through a `Backend`. `SyncBackend` never suspends, so sync
code drives the same flows to completion with `run_sync`; `AsyncBackend` really awaits; tests bring a third one whose
clock they move by hand.

Rule: a `Backend` carries out each request once. Retries, waiting, naming and giving up are decided in the flows.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from magic_hour_client.types import Request

if TYPE_CHECKING:
    from pathlib import Path

    from magic_hour_client._runtime.send_trace import SendTrace

    from ._partial_download import PartialDownload
    from ._sources import Source
    from .webhooks._watches import Signal

T = TypeVar("T")
Item = TypeVar("Item")
OnBytes = Callable[[int, int | None], None]
"""Called with the bytes so far and the total, if known."""
BeforeSending = Callable[[], Coroutine[Any, Any, None]]
"""Called before a request is sent; raises if it must not be."""
CHANCE = SystemRandom()
"""The generator of the operating system. A program's `random.seed` does not repeat it and a fork does not share it."""


class Backend(Protocol):
    """What flows need from the outside world. Instants are values of `now`, in seconds."""

    async def send(
        self,
        request: Request[T],
        deadline: float,
        before_sending: BeforeSending | None = None,
        trace: SendTrace | None = None,
    ) -> T:
        """Send a request once and return its result; raises the typed errors of the generated client.

        A call that charges credits is not torn down by a cancellation while its answer may still come; if it does,
        the cancellation carries the result as its attribute `result`.

        Args:
            request: the request.
            deadline: the instant at which it has to end.
            before_sending: awaited directly before the first byte goes out, and maybe earlier too. What it raises
                is passed on unchanged, and nothing is sent.
            trace: records whether a byte went out, and what was answered, before this returns or raises.
        """
        ...

    async def put(self, url: str, source: Source, deadline: float, on_bytes: OnBytes) -> None:
        """Send the bytes of `source` to a signed URL once; raises ConnectionFailed or TransferFailed."""
        ...

    async def fetch(self, url: str, target: PartialDownload, deadline: float, on_bytes: OnBytes) -> Path:
        """Download what `target` still lacks from a signed URL, once; returns its path under its final name.

        Raises:
            ConnectionFailed, TransferFailed: it is not complete.
            DownloadFailed: it could not be written to disk.
        """
        ...

    async def sleep(self, seconds: float, signal: Signal | None = None) -> None:
        """Wait; at most until `signal` is set, which another thread may do."""
        ...

    async def map(self, work: Callable[[Item], Coroutine[Any, Any, T]], items: Sequence[Item]) -> list[T]:
        """The results of `work` for each item, in the order of the items, several at a time.

        The first failure stops the others and is raised as it is.
        """
        ...

    async def run_in_thread(
        self, function: Callable[[], T], *, abandon_on_cancel: bool = False, deadline: float | None = None
    ) -> T:
        """The result of a function that waits for the disk, or for a caller's stream.

        Args:
            function: what to run.
            abandon_on_cancel: leave it running after a cancellation, since a stream may be silent forever; otherwise a
                cancellation waits until it has ended.
            deadline: the instant at which it is abandoned. Blocking code can check the time only when it returns.

        Raises:
            TransferFailed: it did not end before the deadline.
        """
        ...

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def utc(self) -> datetime:
        """The date and time of day, for people."""
        ...

    def random(self) -> float:
        """A random number from 0 to 1 that no seed repeats, to spread retries and to name jobs."""
        ...


def run_sync(coroutine: Coroutine[Any, Any, T], ending: Callable[[BaseException], None] | None = None) -> T:
    """Run a flow whose `Backend` never suspends to its end.

    Args:
        coroutine: the flow.
        ending: called with whatever is raised, also by Ctrl-C between the end of the flow and the return of its result.

    Raises:
        RuntimeError: the flow awaited something that needs an event loop.
    """
    try:
        try:
            coroutine.send(None)
        except StopIteration as finished:
            result: T = finished.value
            return result
        coroutine.close()
        raise RuntimeError("a flow awaited something that SyncBackend did not provide")
    except BaseException as error:
        if ending is not None:
            ending(error)
        raise


__all__ = ["Backend", "BeforeSending", "OnBytes", "run_sync"]
