"""What a person found out about a doubtful row, and when that counts.

Rule: "not charged" is asked only after the row was closed and nobody can submit it any more, nor be on the way with it.
A look before that may have come too early: the job may land after it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from enum import StrEnum

from magic_hour_client.errors import InvalidArgument

from .._flows.submit import SUBMIT_SECONDS
from ._claims import Paid
from ._database import Database, no_other_runner, open_beside_run
from ._fleet import PERMIT_SECONDS, is_alive

WAIT_SECONDS = PERMIT_SECONDS + SUBMIT_SECONDS
"""Until a permit that was just renewed is over, and the answer to what was sent at its last moment must have come."""


_STEP_SECONDS = 1.0


class Settled(StrEnum):
    """What came of settling a row."""

    WITH_ID = "with an id"
    """The next run goes on with the job that was found."""
    NOT_CHARGED = "not charged"
    """There is no job: the next run submits the row anew."""
    ARRIVED = "an id has arrived"
    """While it was waited for, or asked: the next run goes on with that."""
    OPEN = "still in doubt"
    """There was no answer, or there is a job of that name: settle it with its id."""


def with_id(database: Database, key: str, project_id: str) -> Settled:
    """A person found the job of a row.

    Raises:
        InvalidArgument: the row is not in doubt, or this cannot be an id.
    """
    if not project_id.isprintable() or not project_id.strip():
        raise InvalidArgument("expected the id of a job", field="project_id")
    with open_beside_run(database) as store:
        if not store.claims.set_project_id(key, project_id):
            raise _not_in_doubt(key)
    return Settled.WITH_ID


def not_charged(
    database: Database,
    key: str,
    ask: Callable[[str], bool | None],
    on_wait: Callable[[float], object] = lambda left: None,
) -> Settled:
    """Close a row, wait until nobody can submit it any more, and then ask whether there is no job of its name.

    Args:
        database: where the batch is.
        key: the row.
        ask: called with the name of the job: True if there is none, False if there is one, None if nobody knows.
        on_wait: called every second with the seconds that are left.

    Raises:
        InvalidArgument: the row is not in doubt, or who submitted it can be seen to live.
    """
    token = uuid.uuid4().hex
    name = _closed(database, key, token).name
    wait(WAIT_SECONDS, on_wait)
    with open_beside_run(database) as store:
        paid = store.claims.job_of(key)
    if paid is None or paid.project_id is not None:
        return Settled.OPEN if paid is None else Settled.ARRIVED
    if ask(name) is not True:
        return Settled.OPEN
    with open_beside_run(database) as store:
        if store.claims.give_back(key, token):
            return Settled.NOT_CHARGED
        paid = store.claims.job_of(key)
    return Settled.ARRIVED if paid is not None and paid.project_id is not None else Settled.OPEN


def wait(
    seconds: float,
    on_wait: Callable[[float], object],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Wait so long by a clock that stands still while the machine sleeps: what was on its way stood still as well."""
    until = now() + seconds
    while (left := until - now()) > 0:
        on_wait(left)
        sleep(min(left, _STEP_SECONDS))


def _closed(database: Database, key: str, token: str) -> Paid:
    """Take the claim away from its holder.

    Raises:
        InvalidArgument: the row is not in doubt, or its holder can be seen to live.
    """
    with no_other_runner(database), open_beside_run(database) as store:
        paid = store.claims.job_of(key)
        if paid is not None and not paid.closed and is_alive(store.engine, paid.worker):
            raise InvalidArgument(
                f"the worker {paid.worker} that submitted row {key!r} is still there, and may still get its answer",
                "end it first",
                field="key",
            )
        closed = store.claims.close(key, token)
        if closed is None:
            raise _not_in_doubt(key)
        return closed


def _not_in_doubt(key: str) -> InvalidArgument:
    return InvalidArgument(f"the row {key!r} is not in doubt", field="key")
