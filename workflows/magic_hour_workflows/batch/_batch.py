"""`Batch`, the public class: it opens the database, starts runs and returns their results.

Rule: no decision is made here. Checking, planning, storing and submitting have modules of their own.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.to_thread
import attrs

from magic_hour_client._runtime.settings import checked_flag
from magic_hour_client.endpoints import BALANCE
from magic_hour_client.errors import Argument, InvalidArgument

from .._client import AsyncClient, Client
from .._flows.call import logger
from .._outputs import checked_directory
from .._results import plain_number
from ..errors import DatabaseLost
from ..events import Event
from . import _balance
from ._database import Database, database_of, open_beside_run
from ._fleet import StopSignal
from ._manifest import RowLike, check_budget, plan, read
from ._output_dir import checked
from ._rows import Plan, Row, RowResult, Summary, Verification
from ._run import Run
from ._settling import Settled, with_id
from ._settling import not_charged as settle_not_charged
from ._store import Store

if TYPE_CHECKING:
    from ..webhooks import Inbox

_BALANCE_SECONDS = 20.0
"""How long a batch waits for the balance before it starts without."""
_POLL_SECONDS = 0.2
"""How often `run` checks for finished rows."""


class Batch:
    """Many jobs, from a manifest or from Python objects, each charged at most once even if the process is killed.

    Start it again with the same rows, and it continues where it stopped.

    Args:
        rows: a manifest (`.jsonl`, `.csv`) or the rows; None to use the rows in the database.
        output: the directory for the outputs; None to use that of the last run.
        database: where the state is stored: a path, or `postgresql://...` to work on it with several machines;
            by default `NAME.batch.sqlite` next to a manifest called NAME.
        endpoint: the endpoint of rows that do not name one.
        concurrency: rows processed at the same time, on all machines together; 16 by default.
        rate: maximum submissions per minute, on all machines together; unlimited by default.
        max_credits: credit limit of the whole batch; rows that would exceed it are not started. Without `rows`, each
            of these three options keeps its last value if it is not given.
        token, base_url, allow_http: as for `Client`.
        timeout: seconds that each step of a row may take.
        poll_interval: as for `Client`.
        check_balance: ask for the balance of the account before the first job, and submit nothing if it cannot pay for
            the rows that are left. A balance that cannot be asked for stops nothing. Default: True.
        inbox: as for `Client`. A submission without an answer is settled by the first event of its job.
        on_event: called with the key of a row and each of its events, from another thread.
        on_warning: called with a sentence that matters although the batch goes on; logged by default.

    Raises:
        InvalidArgument: a value is invalid.

    Example:
        >>> rows = [("fox", "ai_image_generator", {"image_count": 1, "style": {"prompt": "A red fox"}})]
        >>> with Batch(rows, output=folder, database=folder / "foxes", token=token, base_url=base_url) as batch:
        ...     for row in batch.run():
        ...         print(row.key, row.status, [path.name for path in row.paths])
        fox saved ['fox-1.png']
    """

    def __init__(
        self,
        rows: str | os.PathLike[str] | Iterable[RowLike] | None = None,
        *,
        output: str | os.PathLike[str] | None = None,
        database: str | os.PathLike[str] | None = None,
        endpoint: str | None = None,
        concurrency: int | None = None,
        rate: float | None = None,
        max_credits: float | None = None,
        token: str | None = None,
        base_url: str | None = None,
        allow_http: bool = False,
        timeout: float = 1800.0,
        poll_interval: float | None = None,
        check_balance: bool = True,
        inbox: Inbox | None = None,
        on_event: Callable[[str, Event], object] | None = None,
        on_warning: Callable[[str], object] | None = None,
    ) -> None:
        self._given = rows
        self._endpoint = endpoint
        self._output = None if output is None else checked_directory(output, make=False)
        self.database: Database = database_of(database, rows)
        self._limits: dict[str, Any] = {
            "concurrency": _positive("concurrency", concurrency, whole=True),
            "rate": _positive("rate", rate),
            "max_credits": _positive("max_credits", max_credits, zero=True),
        }
        service: dict[str, Any] = {
            "token": token,
            "base_url": base_url,
            "timeout": timeout,
            "poll_interval": poll_interval,
            "allow_http": allow_http,
            "inbox": inbox,
            "job_log": False,  # the database of the batch has its jobs, and only it
        }
        self._inbox = inbox
        self._make_client = partial(AsyncClient, **service)
        self._make_sync_client = partial(Client, **service)
        self._check_balance = checked_flag("check_balance", check_balance) and BALANCE is not None
        self._on_warning = on_warning or partial(logger.warning, "%s")
        if rows is not None:  # else it may only be inspected, which needs no key
            self._make_client()  # raises now if one of these is invalid
        self._on_event = on_event
        self._stop_signal = StopSignal()
        self._ran = False
        self._identity: str | None = None

    @cached_property
    def rows(self) -> list[Row] | None:
        """The given rows, read and checked; None if none were given.

        Raises:
            ManifestError: with every mistake of every row.
            InvalidArgument: there is a budget, and the price of a row is not documented.
        """
        if self._given is None:
            return None
        rows = read(self._given, endpoint=self._endpoint)
        check_budget(rows, self._limits["max_credits"])
        return rows

    @cached_property
    def plan(self) -> Plan:
        """What the rows will do and cost. Nothing is sent.

        Raises:
            ManifestError: with every mistake of every row.
        """
        if self.rows is None:
            with open_beside_run(self.database) as store:
                return plan(list(store.rows()))
        return plan(self.rows)

    def run(self, *, retry: Iterable[str] | bool = False) -> Generator[RowResult, None, None]:
        """Run until every row has finished or no more rows may be submitted; yields each row as it finishes.

        Args:
            retry: True to submit all failed rows again too, or the keys of some. They are charged again; failed rows
                were refused or refunded.

        Raises:
            ManifestError: with every mistake of every row.
            InvalidArgument: a key was submitted with other parameters before, or another process runs the batch.
        """
        with self._run() as run:
            self._start(run, retry)
            while True:
                over = run.over()
                yield from run.finished(last=over)
                if over:
                    return
                time.sleep(_POLL_SECONDS)

    async def run_async(self, *, retry: Iterable[str] | bool = False) -> AsyncGenerator[RowResult, None]:
        """Like `run`, for asyncio and trio.

        Args:
            retry: as for `run`.

        Raises:
            ManifestError, InvalidArgument: as for `run`.
        """
        run = self._run()
        try:
            await anyio.to_thread.run_sync(self._start, run, retry)
            while True:
                over = await anyio.to_thread.run_sync(run.over)
                for result in await anyio.to_thread.run_sync(list, run.finished(last=over)):
                    yield result
                if over:
                    return
                await anyio.sleep(_POLL_SECONDS)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(run.__exit__, None, None, None)

    def halt(self, reason: str = "it was asked to stop") -> None:
        """Submit no more jobs; `run` returns once the running ones have finished. Safe in a signal handler."""
        self._stop_signal(reason)

    @property
    def halted(self) -> str | None:
        """Why the batch stopped submitting jobs; None if it did not."""
        return self._stop_signal.reason

    def results(self) -> list[RowResult]:
        """The current state of every row, in the order of the manifest."""
        with self._opened() as store:
            return list(store.results())

    def summary(self) -> Summary:
        """The current state of the batch."""
        with self._opened() as store:
            return store.summary()

    def verify(self) -> Verification:
        """Read every file of every saved row and report those that have changed. Nothing is sent.

        The next `run` downloads their outputs again, without submitting anything.
        """
        with self._opened() as store:
            found = Verification(rows=0, files=0, bytes=0)
            for row, damaged in checked(store.saved()):
                files, size = found.files + len(row.paths), found.bytes + sum(row.sizes)
                found = attrs.evolve(found, rows=found.rows + 1, files=files, bytes=size)
                found.damaged.extend(damaged)
            return found

    @contextmanager
    def _opened(self) -> Iterator[Store]:
        with open_beside_run(self.database) as store:
            if self._identity is not None and store.identity != self._identity:
                raise DatabaseLost("it was replaced since it was run")
            yield store

    def settle(
        self,
        key: str,
        *,
        project_id: str | None = None,
        not_charged: Callable[[str], bool | None] | None = None,
        on_wait: Callable[[float], object] = lambda left: None,
    ) -> Settled:
        """Record what happened to a doubtful row, as found in the web app or in a webhook event.

        With `not_charged` this takes 135 seconds: the row is closed so that nobody can submit it any more, and then
        anything that is already on its way has time to arrive. An earlier check does not count.

        Args:
            key: the row.
            project_id: the id of its job; the next run continues with it.
            not_charged: called with the name of the job after the wait. Return True if there is no such job: the next
                run submits the row again. Return False if there is one, or None if that is unknown: the row stays
                doubtful.
            on_wait: called every second with the seconds that are left.

        Returns:
            The outcome. If an id has arrived in the meantime, it takes precedence over the answer.

        Raises:
            InvalidArgument: the row is not doubtful, the answer is missing, or the worker that submitted the row is
                still running.
        """
        if (project_id is None) == (not_charged is None):
            raise InvalidArgument(("pass either this or ", Argument("not_charged")), field="project_id")
        if project_id is not None:
            return with_id(self.database, key, project_id)
        if not callable(not_charged):
            raise InvalidArgument(
                "expected a function that takes the name of a job and returns whether there is no such job",
                "pass the function, which is called when nobody can submit the row; an earlier check does not count",
                field="not_charged",
            )
        return settle_not_charged(self.database, key, not_charged, on_wait)

    def _start(self, run: Run, retry: Iterable[str] | bool) -> None:
        self._make_client()
        if self.rows is None and self._limits["max_credits"] is not None:
            with open_beside_run(self.database) as store:
                check_budget(store.rows(), self._limits["max_credits"])
        run.start(self.rows, self._output, self._limits, retry)
        self._identity = run.identity

    def _ask_balance(self) -> float | None:
        with self._make_sync_client() as client:
            return client.runner.balance(timeout=_BALANCE_SECONDS)

    def _run(self) -> Run:
        if self._ran:  # the cause may have been fixed
            self._stop_signal = StopSignal()
        self._ran = True
        check = (
            partial(_balance.check_balance, ask=self._ask_balance, warn=self._on_warning)
            if self._check_balance
            else None
        )
        return Run(self.database, self._stop_signal, self._make_client, self._on_event, check, self._inbox)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.halt("the batch was closed")


def _positive(name: str, value: Any, *, whole: bool = False, zero: bool = False) -> Any:
    if value is None:
        return None
    number = plain_number(value, whole=whole)
    if number is None or not (number > 0 or (zero and number == 0)):
        expected = "an integer of at least 1" if whole else f"a number {'of at least' if zero else 'above'} 0"
        raise InvalidArgument(f"expected {expected}", field=name)
    return number
