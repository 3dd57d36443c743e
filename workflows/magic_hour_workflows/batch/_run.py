"""One run of a batch: from opening its database to the last row that can finish now.

Rule: every invalid input is found before the engine starts, and however a run ends, the next one continues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import attrs
from sqlalchemy import exc

from magic_hour_client.errors import InvalidArgument

from .._client import AsyncClient
from .._flows.call import logger
from .._flows.events import is_unique
from .._outputs import checked_directory
from .._results import number
from ..errors import DatabaseAway, DatabaseLost
from ..events import Event
from ._connections import error_kind
from ._database import Database, adopt, open_batch, side_paths
from ._engine import SILENT_SECONDS, Engine
from ._fleet import StopSignal
from ._manifest import planned
from ._output_dir import OutputDir, checked
from ._row_workflow import RowWorkflow, Steps
from ._rows import Row, RowResult, RowStatus
from ._side_file import SideFile
from ._store import Store
from ._submission import Submitter

if TYPE_CHECKING:
    from ..webhooks import Inbox, WebhookEvent

DEFAULT_CONCURRENCY = 16

_LATE_SECONDS = 10.0
"""How much later than its time a finished row may appear when several machines write."""


@attrs.define(slots=False, eq=False)
class Run:
    """A run; a context manager that ends it. `on_event` is called with the key of a row and each of its events."""

    _database: Database
    _stop_signal: StopSignal
    _make_client: Callable[[], AsyncClient]
    _on_event: Callable[[str, Event], object] | None
    _check: Callable[[Store], None] | None = None
    """Called before anything is submitted; raises if nothing should be."""
    _inbox: Inbox | None = None
    """Receives the events that have the ids of lost submissions."""
    _stack: ExitStack = attrs.field(factory=ExitStack, init=False)
    _starting: Lock = attrs.field(factory=Lock, init=False)
    _over: bool = attrs.field(default=False, init=False)
    _engine: Engine | None = attrs.field(default=None, init=False)
    _seen: set[tuple[str, RowStatus]] = attrs.field(factory=set, init=False)
    identity: str | None = attrs.field(default=None, init=False)
    """Identifies the batch, to detect that its database was replaced."""

    def start(
        self, rows: Sequence[Row] | None, output: Path | None, limits: Mapping[str, Any], retry: Iterable[str] | bool
    ) -> None:
        """Store the rows, and start working on those that are not done.

        Raises:
            InvalidArgument: the database has another batch, or another process runs it.
        """
        with self._starting, ExitStack() as stack:
            if self._over:
                return  # the caller is gone
            self._store = stack.enter_context(open_batch(self._database, existing=rows is None))
            self.identity = self._store.identity
            self._output = self._directory(output, joins=rows is None and self._database.shared)
            if rows is not None:
                self._take(rows)
            adopt(self._database, self._store, self._output)
            self._side = SideFile(*side_paths(self._database, self._store, self._output))
            kept = {} if rows is not None else {name: value for name, value in limits.items() if value is None}
            given = {name: value for name, value in limits.items() if name not in kept}
            self._store.configure(output=str(self._output), halted=None, **given)
            self._since = self._began = self._store.fleet.now()
            if self._inbox is not None:
                stack.enter_context(self._inbox.handling(self._announced, "*"))
            restarted = self._reopen(rows, retry)
            if waiting := self._store.keys(RowStatus.WAITING):
                if self._check is not None:
                    self._check(self._store)
                engine = Engine(self._store, self._stop_signal, self._workflow, shared=self._database.shared)
                stack.callback(self._verify)  # after running submissions got their responses
                engine.start(restarted=restarted)
                stack.callback(engine.stop)
                engine.limit(self._store.settings()["concurrency"] or DEFAULT_CONCURRENCY)
                engine.put(waiting)
                self._engine = engine
            self._stack = stack.pop_all()

    def _announced(self, event: WebhookEvent) -> None:
        """Record the id of a job whose submission got no answer; the next run continues with it."""
        if event.id is None or event.name is None or not is_unique(event.name):
            return
        credits = number(getattr(event.payload, "credits_charged", None))
        key = self._store.claims.announced(event.name, event.id, credits, worker="webhook")
        if key is not None:
            logger.info("row %r: a webhook event has the id of its job: %a", key, event.id)

    def _directory(self, given: Path | None, *, joins: bool) -> Path:
        known = self._store.settings()["output"]
        if joins and known is None:
            problem = f"no batch was started in {self._database}"
            raise InvalidArgument(problem, "start it with its manifest first", field="database")
        if given is None and known is None:
            raise InvalidArgument("required: the directory for the outputs", field="output")
        wanted = (given if given is not None else Path(known)).absolute()
        if joins and (str(wanted) != known or not wanted.is_dir()):
            problem = f"the batch saves to {known}, which all machines must share under this path"
            raise InvalidArgument(problem, field="output")
        return checked_directory(wanted, make=self._database.shared).absolute()

    def _take(self, rows: Sequence[Row]) -> None:
        known = set(self._store.keys(*RowStatus))
        if known.isdisjoint(row.key for row in rows) and known:
            problem = f"{self._database} has another batch, of {len(known)} rows with none of these keys"
            raise InvalidArgument(problem, "use another database", field="database")
        if refused := self._store.set_rows(planned(rows)):
            some = ", ".join(repr(key) for key in refused[:10]) + (", ..." if len(refused) > 10 else "")
            problem = f"{len(refused)} rows were submitted with other parameters before: {some}"
            raise InvalidArgument(problem, "give the changed rows new keys, or restore their parameters", field="key")

    def _reopen(self, rows: Sequence[Row] | None, retry: Iterable[str] | bool) -> list[str]:
        """The rows to continue: interrupted, settled, skipped or damaged ones, and failed ones if requested."""
        store = self._store
        given = None if rows is None else {row.key for row in rows}
        again = [*store.keys(RowStatus.RUNNING), *store.claims.settled()]
        again += store.keys(RowStatus.SKIPPED, only=given)
        again += self._damaged()
        if retry is not False:
            failed = store.keys(RowStatus.FAILED, only=given if retry is True else retry)
            store.claims.forget_jobs(failed)
            again += failed
        store.reopen(again)
        return again

    def _damaged(self) -> list[str]:
        """The saved rows whose files have changed; a worker that joins a running batch only compares sizes."""
        joins = self._database.shared and bool(self._store.fleet.alive(SILENT_SECONDS))
        looked_at = checked(self._store.saved(), content=not joins, stop=lambda: self._stop_signal.reason is not None)
        return [row.key for row, damaged in looked_at if damaged]

    def _verify(self) -> None:
        """At the end, check that the database has every recorded job; else write the jobs to the side file.

        Raises:
            DatabaseLost: it has not, so none of its contents can be trusted.
        """
        ids = self._side.ids()
        try:
            missing = self._store.verify(ids)
        except DatabaseLost as lost:
            self._side.write_all(lost.why)
            raise
        except (exc.SQLAlchemyError, OSError, DatabaseAway) as error:
            self._side.write_all(error_kind(error))
            raise
        if missing:
            why = f"it has lost {len(missing)} of {len(ids)} jobs"
            self._side.write_all(why, only=missing)
            raise DatabaseLost(why)

    def _workflow(self, engine: Engine) -> RowWorkflow:
        worker = engine.worker
        path = self._database.file  # a file has one process at a time: it cleans up after the last one
        folder = worker if path is None else f"{path.name}-{sha256(bytes(path)).hexdigest()[:8]}"
        output_dir = OutputDir(self._output, folder)
        output_dir.clean()
        submitter = Submitter(self._store.claims, engine.session, self._side, self._stop_signal, worker)
        steps = Steps(self._make_client(), self._store, output_dir, self._stop_signal, submitter, self._emit)
        return RowWorkflow(steps, self._store, self._stop_signal)

    def _emit(self, key: str, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(key, event)

    def finished(self, *, last: bool = False) -> Iterator[RowResult]:
        """The rows that finished since the last call. `last` checks the whole run again, for results of a machine that
        was stopped in between.
        """
        now = self._store.fleet.now()
        self._since = self._began if last else self._since
        for key, state in self._store.ended(self._since):
            if (key, state) not in self._seen:
                self._seen.add((key, state))
                if (result := self._store.result(key)) is not None:
                    yield result
        self._since = max(self._since, now - _LATE_SECONDS)

    def over(self) -> bool:
        """Whether nothing more will finish in this run."""
        if self._engine is None or not self._store.has(RowStatus.WAITING):
            return True
        return self._stop_signal.reason is not None and self._engine.idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        with self._starting, self._stack:
            if self._engine is not None and self._stop_signal.reason is not None:
                with suppress(exc.SQLAlchemyError, OSError):  # a full disk, which may be why it stopped
                    self._store.configure(halted=self._stop_signal.reason)
