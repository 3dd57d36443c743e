"""The engine's queue, as far as a batch needs it: putting rows in, and taking over those of a worker that is gone.

Rule: only DBOS's public calls, through its client, which works while the engine does and when it does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dbos import DBOSClient, Serializer

from ._server import patient
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

    @patient
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
