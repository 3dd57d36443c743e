"""The engine of a batch: DBOS keeps the queue and what each row has done; here is how it is started and stopped.

Rule: no scheduler and no queue of our own. Everything the engine may do twice is safe to do twice, because the right
to submit a job is not the engine's to give (`claims`).
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
"""Of the steps of a row, not of this package: a batch begun by one release is finished by the next."""


QUEUE = "rows"


WORKFLOW = "row"


_UNDER_WAY = "PENDING"


_SUCCESS = "SUCCESS"


_GIVEN_UP = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Json(Serializer):
    """What the engine records can be read, and reading it runs nothing."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "json"


class Queue:
    """The rows in the engine's hands.

    Args:
        store: what is remembered in the batch database; the engine shares its connections.
    """

    def __init__(self, store: Store) -> None:
        self._client = DBOSClient(system_database_engine=store.engine, serializer=Json())
        self._store = store

    def put(self, keys: Iterable[str], *, reopen: bool = False) -> None:
        """Put rows into the queue; those that are in it stay where they are, those that have ended begin anew.

        Args:
            keys: the rows.
            reopen: put them back to the beginning of their way as well, at the same instant, so that none is left over.
        """
        for some in chunks(list(keys)):
            self._put(some, reopen=reopen)

    @retry_while_away
    def _put(self, keys: list[str], *, reopen: bool) -> None:
        self.forget(self.ended(keys))
        there = {one.workflow_id for one in self._list(workflow_ids=keys)}  # another machine put them there
        with self._store.transaction() as connection:
            if reopen:
                self._store.reopen(keys, connection)
            for key in keys:
                if key not in there:
                    options: Any = {"workflow_name": WORKFLOW, "queue_name": QUEUE, "workflow_id": key}
                    options |= {"app_version": VERSION, "application_name": APPLICATION}
                    self._client.enqueue_in_transaction(connection, options, key)

    def forget(self, keys: Iterable[str]) -> None:
        """Let the engine forget what it knows of rows that are at an end: they have their whole way before them."""
        for some in chunks(list(keys)):
            self._client.delete_workflows(some)

    def ended(self, keys: list[str]) -> list[str]:
        """Those of the rows that the engine is done with."""
        if not keys:  # which the engine would take for all
            return []
        return [one.workflow_id for one in self._list(workflow_ids=keys, status=[_SUCCESS, *_GIVEN_UP])]

    def given_up(self) -> dict[str, str]:
        """The rows that the engine did not take to their end, and what it calls that."""
        return {one.workflow_id: str(one.status) for one in self._list(status=_GIVEN_UP)}

    def workers(self) -> set[str]:
        """Who has rows under way."""
        return {str(one.executor_id) for one in self._list(status=_UNDER_WAY)}

    def take_over(self, workers: Iterable[str]) -> None:
        """Put what these workers had under way back into the queue. Safe even if one of them is alive after all."""
        for worker in workers:
            for some in chunks([one.workflow_id for one in self._list(status=_UNDER_WAY, executor_id=worker)]):
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
"""A worker not heard of for so long has its rows taken over. It may come back: the claims make that safe."""


_POLL_SECONDS = 0.1


_STOP_SECONDS = 30.0
"""How long the end waits for the answers to what is being submitted."""


_running: Engine | None = None
"""DBOS is one to a process, and so is this."""


class Engine:
    """One process's part in a batch.

    Args:
        store: what is remembered in the batch database; DBOS shares its connections.
        stop_signal: whether jobs may still be submitted.
        make_workflow: makes what runs the rows, on the event loop of this engine.
    """

    def __init__(self, store: Store, stop_signal: StopSignal, make_workflow: Callable[[Engine], RowWorkflow]) -> None:
        self.worker: str = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._store = store
        self._stop_signal = stop_signal
        self._make_workflow = make_workflow
        self._workflow: RowWorkflow | None = None
        self._queue = Queue(store)
        self._active: dict[str, asyncio.Task[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._heartbeat_thread: threading.Thread | None = None
        self.session: Session = Session(store.engine, self.worker)
        """By what others see that this worker lives."""

    def start(self, *, shared: bool, restarted: Iterable[str]) -> None:
        """Begin to work on the rows in the queue.

        Args:
            shared: whether other machines work on this batch too.
            restarted: rows that had ended and begin again; what is recorded of their last way is forgotten.
        """
        global _running
        if _running is not None:
            raise InvalidArgument("this process runs a batch already", "run one after the other")
        dbos_logger = logging.getLogger("dbos")
        if not dbos_logger.handlers:  # else DBOS writes to the terminal
            dbos_logger.addHandler(logging.NullHandler())
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_engine": self._store.engine,
            "application_version": VERSION,
            "executor_id": self.worker,
            "serializer": Json(),
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": _POLL_SECONDS,  # nobody waits for any, but the end for this
            "log_level": "ERROR",
        }
        DBOS(config=config)
        _running = self
        try:
            self.session.hold()
            self._store.fleet.beat(self.worker, socket.gethostname())
            DBOS.launch()
            self._queue.forget(self._queue.ended(list(restarted)) if shared else restarted)
            busy = self._queue.workers()  # asked first: who begins to work now is alive before it has rows
            alive = self._store.fleet.alive(SILENT_SECONDS) if shared else [self.worker]
            self._queue.take_over(busy.difference(alive))
            self._heartbeat_thread = threading.Thread(
                target=self._heartbeat, name="magic-hour-batch-heartbeat", daemon=True
            )
            self._heartbeat_thread.start()
        except BaseException:
            self.stop()
            raise

    def limit(self, *, concurrency: int, shared: bool) -> None:
        """Set how much may be under way, on a shared batch by all workers together. The claims hold the rate.

        Args:
            concurrency: how many rows at a time.
            shared: whether other machines work on this batch too.
        """
        limits: dict[str, Any] = {"worker_concurrency": concurrency}
        if shared:
            limits["global_concurrency"] = concurrency
        DBOS.register_queue(QUEUE, polling_interval_sec=_POLL_SECONDS, on_conflict="always_update", **limits)

    def put(self, keys: Iterable[str]) -> None:
        """Put rows into the queue."""
        self._queue.put(keys)

    def idle(self) -> bool:
        """Whether nothing is under way here but rows that wait at the halt."""
        return self._active.keys() <= self._stop_signal.parked

    def stop(self) -> None:
        """End at once: what is being submitted gets its answer, everything else is left for the next run."""
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
        waiting = True
        with suppress(Exception):  # without its database it ends all the same
            waiting = self._store.has(RowStatus.WAITING)
        DBOS.destroy(
            workflow_completion_timeout_sec=int(waiting)
        )  # the queue may be beginning one: its loop has to be there
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
        """One row, for as long as this run lasts."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if self._ended.is_set() or task is None:
            await asyncio.Event().wait()  # until it is cancelled: the next run does this row
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
                logger.exception("the heartbeat of batch worker %s failed; it is tried again", self.worker)

    def _settle(self) -> None:
        """Go on with the doubtful rows whose id has arrived, once the engine is done with their first way."""
        if settled := self._queue.ended(self._store.claims.settled()):
            self._queue.put(settled, reopen=True)

    def _report_given_up(self) -> None:
        """Say of rows that the engine ended, at somebody's wish or by a fault, that the next run goes on."""
        for key, status in self._queue.given_up().items():
            known = self._store.result(key)
            if known is not None and known.status in (RowStatus.WAITING, RowStatus.RUNNING) and known.error is None:
                error = f"the engine ended it ({status.lower()}); run the batch again to go on"
                self._store.finish(RowResult(key=key, endpoint=known.endpoint, status=RowStatus.RUNNING, error=error))


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
async def _row(key: str) -> None:
    if _running is None:
        raise RuntimeError("no batch runs in this process")
    await _running.run(key)
