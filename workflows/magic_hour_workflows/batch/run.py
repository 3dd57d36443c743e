"""One run of a batch: from opening its database to the last row that can be finished now.

Rule: everything that can be wrong is found before the engine starts, and whatever ends a run, the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from magic_hour_client.errors import InvalidArgument

from ..client import AsyncClient
from ..events import Event
from ..operations import operations
from ..outputs import checked_directory
from .database import Database, opened
from .engine import Engine
from .halt import Halt
from .manifest import fingerprint
from .places import Places
from .plan import estimate_row
from .rows import Row, RowResult, RowStatus
from .steps import Steps
from .store import Planned
from .way import Way

DEFAULT_CONCURRENCY = 16
_LATE_SECONDS = 10.0
"""How much later than its time a finished row may show up, when several machines write."""


class Run:
    """A run under way; a context manager that ends it.

    Args:
        database: where the batch is.
        halt: whether jobs may be submitted.
        make_client: makes the client.
        on_event: called with the key of a row and each of its events.
    """

    def __init__(
        self,
        database: Database,
        halt: Halt,
        make_client: Callable[[], AsyncClient],
        on_event: Callable[[str, Event], object] | None,
    ) -> None:
        self._database = database
        self._halt = halt
        self._make_client = make_client
        self._on_event = on_event
        self._stack = ExitStack()
        self._engine: Engine | None = None
        self._seen: set[tuple[str, RowStatus]] = set()

    def start(
        self, rows: Sequence[Row] | None, output: Path | None, limits: Mapping[str, Any], retry: Iterable[str] | bool
    ) -> None:
        """Write the rows down, and begin to work on those that are not done.

        Raises:
            InvalidArgument: this cannot be the same batch, or another process runs it.
        """
        with ExitStack() as stack:
            self._store = stack.enter_context(opened(self._database, existing=rows is None))
            self._output = self._directory(output)
            if rows is not None:
                self._take(rows)
            kept = {} if rows is not None else {name: value for name, value in limits.items() if value is None}
            given = {name: value for name, value in limits.items() if name not in kept}
            self._store.configure(output=str(self._output), halted=None, **given)
            self._since = self._store.fleet.now()
            self._reopen(rows, retry)
            if waiting := self._store.keys(RowStatus.WAITING):
                engine = Engine(self._database.url, self._store, self._halt, self._way)
                stack.callback(engine.stop)
                engine.start(shared=self._database.shared)
                limited = self._store.settings()
                concurrency = limited["concurrency"] or DEFAULT_CONCURRENCY
                engine.limit(concurrency=concurrency, rate=limited["rate"], shared=self._database.shared)
                engine.put(waiting)
                self._engine = engine
            self._stack = stack.pop_all()

    def _directory(self, given: Path | None) -> Path:
        known = self._store.settings()["output"]
        if given is None and known is None:
            raise InvalidArgument("`output`: give the directory for the outputs", field="output")
        return checked_directory(given if given is not None else known).absolute()

    def _take(self, rows: Sequence[Row]) -> None:
        if refused := self._store.take(planned(rows)):
            some = ", ".join(repr(key) for key in refused[:10]) + (", ..." if len(refused) > 10 else "")
            message = (
                f"{len(refused)} rows were submitted with other parameters before: {some}; "
                "give the changed rows new keys, or put back what they were"
            )
            raise InvalidArgument(message, field="key")

    def _reopen(self, rows: Sequence[Row] | None, retry: Iterable[str] | bool) -> None:
        """Go on with what was stopped, settled, left out or lost from the disk, and with failed rows if asked to."""
        store = self._store
        store.reopen(store.keys(RowStatus.RUNNING))
        store.reopen(store.keys(RowStatus.SKIPPED, only=None if rows is None else [row.key for row in rows]))
        store.reopen(store.claims.settled())
        lost = [row.key for row in store.results() if row.status is RowStatus.SAVED and not _all_there(row)]
        store.reopen(lost)
        if retry is not False:
            failed = store.keys(RowStatus.FAILED, only=None if retry is True else retry)
            store.claims.forget_jobs(failed)
            store.reopen(failed)

    def _way(self, worker: str) -> Way:
        steps = Steps(self._make_client(), self._store, Places(self._output, worker), self._halt, worker, self._tell)
        return Way(steps, self._store, self._halt)

    def _tell(self, key: str, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(key, event)

    def finished(self) -> Iterator[RowResult]:
        """The rows that ended since the last time this was asked."""
        for result in self._store.results(since=self._since):
            if (result.key, result.status) not in self._seen:
                self._seen.add((result.key, result.status))
                yield result
        self._since = max(self._since, self._store.fleet.now() - _LATE_SECONDS)

    def over(self) -> bool:
        """Whether nothing more will end in this run."""
        if self._engine is None or not self._store.keys(RowStatus.WAITING):
            return True
        return self._halt.reason is not None and self._engine.idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._halt.reason is not None:
            self._store.configure(halted=self._halt.reason)
        self._stack.close()


def planned(rows: Iterable[Row]) -> list[Planned]:
    """The rows with what tells them apart, what they will cost and what they make."""
    known = operations()
    return [
        Planned(
            row=row,
            fingerprint=fingerprint(row),
            estimate=estimate_row(row).credits,
            kind=known[f"v1.{row.endpoint}.create"]["project_kind"],
        )
        for row in rows
    ]


def _all_there(row: RowResult) -> bool:
    return all(path.is_file() for path in row.paths)
