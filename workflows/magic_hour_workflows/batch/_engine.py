"""The engine of a batch: DBOS has the queue and the results of each step; this starts, feeds and stops it.

Rule: no scheduler and no queue of our own, and only public calls of DBOS. The engine may do anything twice, because it
does not grant the right to submit a job (`_claims`). The names that DBOS stores (application, queue, workflow, steps)
are constants, independent of the code: a batch that one release started is finished by the next.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, Serializer

from magic_hour_client.errors import InvalidArgument

from ._connections import retry_while_away
from ._fleet import Session, StopSignal
from ._row_workflow import RowWorkflow
from ._rows import RowResult, RowStatus
from ._store import Store
from ._tables import chunks

APPLICATION = "magic-hour-batch"

VERSION = "1"
"""Of the steps of a row, not of this package: a batch started by one release is finished by the next."""

QUEUE = "rows"

WORKFLOW = "row"

_GIVEN_UP = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Json(Serializer):
    """The engine's records are readable text, and reading them runs no code."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "json"


class Queue:
    """The rows in the queue of the engine. Works while the engine runs and when it does not."""

    def __init__(self, store: Store) -> None:
        self._client = DBOSClient(system_database_engine=store.engine, serializer=Json())
        self._store = store

    def put(self, keys: Iterable[str], *, reopen: bool = False) -> None:
        """Put rows into the queue; those that are in it stay, those that have finished start again. `reopen` also
        resets their state, in the same transaction, so that none is lost in between.
        """
        for some in chunks(list(keys)):
            self._put(some, reopen=reopen)

    @retry_while_away
    def _put(self, keys: list[str], *, reopen: bool) -> None:
        self.forget(self.ended(keys))
        there = {one.workflow_id for one in self._list(workflow_ids=keys)}  # another machine added them
        with self._store.transaction() as connection:
            if reopen:
                self._store.reopen(keys, connection)
            for key in keys:
                if key not in there:
                    options: Any = {"workflow_name": WORKFLOW, "queue_name": QUEUE, "workflow_id": key}
                    options |= {"app_version": VERSION, "application_name": APPLICATION}
                    self._client.enqueue_in_transaction(connection, options, key)

    def forget(self, keys: Iterable[str]) -> None:
        """Remove the engine's records of finished rows, which start again."""
        for some in chunks(list(keys)):
            self._client.delete_workflows(some)

    def ended(self, keys: list[str]) -> list[str]:
        """Those of the rows that the engine has finished."""
        if not keys:  # the engine would read it as all rows
            return []
        return [one.workflow_id for one in self._list(workflow_ids=keys, status=["SUCCESS", *_GIVEN_UP])]

    def given_up(self) -> dict[str, str]:
        """The rows that the engine did not complete, with its status."""
        return {one.workflow_id: str(one.status) for one in self._list(status=_GIVEN_UP)}

    def workers(self) -> set[str]:
        """The workers with running rows."""
        return {str(one.executor_id) for one in self._list(status="PENDING")}

    def take_over(self, workers: Iterable[str]) -> None:
        """Requeue the running rows of these workers. Safe even if one of them is alive."""
        for worker in workers:
            for some in chunks([one.workflow_id for one in self._list(status="PENDING", executor_id=worker)]):
                self._client.resume_workflows(some, queue_name=QUEUE)
            self._store.fleet.leave(worker)

    def _list(self, **wanted: Any) -> list[Any]:
        return list(self._client.list_workflows(name=WORKFLOW, load_input=False, load_output=False, **wanted))

    def close(self) -> None:
        """Close the connections."""
        self._client.destroy()


logger: logging.Logger = logging.getLogger("magic_hour_workflows")

HEARTBEAT_SECONDS = 5.0

SILENT_SECONDS = 20.0
"""The rows of a worker that is silent this long are taken over. It may come back: the claims make that safe."""

_POLL_SECONDS = 0.1

_STOP_SECONDS = 30.0
"""How long stopping waits for the responses to running submissions."""

_running: Engine | None = None
"""DBOS allows one per process, and so does this."""


class Engine:
    """The part of a batch that one process does. DBOS shares the connections of the store.

    `make_workflow` makes what runs the rows, on the event loop of this engine. `shared`: other machines work on this
    batch too.
    """

    def __init__(
        self,
        store: Store,
        stop_signal: StopSignal,
        make_workflow: Callable[[Engine], RowWorkflow],
        *,
        shared: bool,
    ) -> None:
        self.worker: str = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._store = store
        self._stop_signal = stop_signal
        self._make_workflow = make_workflow
        self._shared = shared
        self._workflow: RowWorkflow | None = None
        self._queue = Queue(store)
        self._active: dict[str, asyncio.Task[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._heartbeat_thread: threading.Thread | None = None
        self.session: Session = Session(store.engine, self.worker)
        """Shows others that this worker is running."""

    def start(self, *, restarted: Iterable[str]) -> None:
        """Start working on the rows in the queue. The engine forgets the earlier steps of those that start again."""
        global _running
        if _running is not None:
            raise InvalidArgument("this process already runs a batch", "run one after the other")
        dbos_logger = logging.getLogger("dbos")
        if not dbos_logger.handlers:  # else DBOS logs to the terminal
            dbos_logger.addHandler(logging.NullHandler())
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_engine": self._store.engine,
            "application_version": VERSION,
            "executor_id": self.worker,
            "serializer": Json(),
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": _POLL_SECONDS,  # unused, but stopping waits for it
            "log_level": "ERROR",
        }
        DBOS(config=config)
        _running = self
        try:
            self.session.hold()
            self._store.fleet.beat(self.worker, socket.gethostname())
            DBOS.launch()
            self._queue.forget(self._queue.ended(list(restarted)) if self._shared else restarted)
            busy = self._queue.workers()  # before asking who is alive: a new worker is alive before it has rows
            alive = self._store.fleet.alive(SILENT_SECONDS) if self._shared else [self.worker]
            self._queue.take_over(busy.difference(alive))
            self._heartbeat_thread = threading.Thread(
                target=self._heartbeat, name="magic-hour-batch-heartbeat", daemon=True
            )
            self._heartbeat_thread.start()
        except BaseException:
            self.stop()
            raise

    def limit(self, concurrency: int) -> None:
        """Set how many rows run at a time, on a shared batch by all workers together. The claims control the rate."""
        limits: dict[str, Any] = {"worker_concurrency": concurrency}
        if self._shared:
            limits["global_concurrency"] = concurrency
        DBOS.register_queue(QUEUE, polling_interval_sec=_POLL_SECONDS, on_conflict="always_update", **limits)

    def put(self, keys: Iterable[str]) -> None:
        """Put rows into the queue."""
        self._queue.put(keys)

    def idle(self) -> bool:
        """Whether no rows are running here except those that the stop signal holds."""
        return self._active.keys() <= self._stop_signal.parked

    def stop(self) -> None:
        """Stop now: running submissions get their responses, everything else is left for the next run."""
        global _running
        try:
            self._stop()
        finally:
            _running = None

    def _stop(self) -> None:
        self._ended.set()
        if self._heartbeat_thread is not None:
            self._heartbeat_thread.join(timeout=HEARTBEAT_SECONDS)
        if self._loop is not None and self._loop.is_running():
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result(timeout=_STOP_SECONDS)
        starting = True
        with suppress(Exception):  # without its database it stops anyway
            # On a shared batch, another worker may put any row back at any time.
            starting = self._shared or self._store.has(RowStatus.WAITING)
        DBOS.destroy(workflow_completion_timeout_sec=int(starting))  # the loop must exist while the queue starts a row
        with suppress(Exception):  # the next run takes over by itself
            self._queue.take_over([self.worker])
        self._queue.close()
        self.session.close()

    async def _cancel(self) -> None:
        tasks = list(self._active.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._workflow is not None:
            await self._workflow.close()

    async def run(self, key: str) -> None:
        """Run one row, for as long as this run lasts."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if self._ended.is_set() or task is None:
            await asyncio.Event().wait()  # until it is cancelled: the next run has this row
            return
        if self._workflow is None:
            self._workflow = self._make_workflow(self)
        self._active[key] = task
        try:
            await self._workflow.run(key)
        finally:
            if self._active.get(key) is task:
                del self._active[key]

    def _heartbeat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                self.session.hold()
                self._store.fleet.beat(self.worker, socket.gethostname())
                self._queue.take_over(self._store.fleet.silent(SILENT_SECONDS, self.worker))
                self._settle()
                self._report_given_up()
            except Exception:
                logger.exception("the heartbeat of batch worker %s failed; retrying", self.worker)

    def _settle(self) -> None:
        """Continue with doubtful rows whose id has arrived, once the engine has finished their first execution."""
        if settled := self._queue.ended(self._store.claims.settled()):
            self._queue.put(settled, reopen=True)

    def _report_given_up(self) -> None:
        """Report rows that the engine ended, by request or because of an error; the next run continues them."""
        for key, status in self._queue.given_up().items():
            known = self._store.result(key)
            if known is not None and known.status in (RowStatus.WAITING, RowStatus.RUNNING) and known.error is None:
                error = f"the engine ended it ({status.lower()}); run the batch again to continue"
                self._store.finish(RowResult(key=key, endpoint=known.endpoint, status=RowStatus.RUNNING, error=error))


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
async def _row(key: str) -> None:
    if _running is None:
        raise RuntimeError("no batch is running in this process")
    await _running.run(key)
