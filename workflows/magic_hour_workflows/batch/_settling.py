"""Settling a doubtful row: what a person found out, and when that counts.

Rule: "not charged" is only asked after the row was closed, when nobody can submit it any more and no request is on its
way. An earlier check may have come too early: the job could still appear.
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
"""Time for a permit that was just renewed to expire, and for the response to a request sent at its last moment."""

_STEP_SECONDS = 1.0


class Settled(StrEnum):
    """The outcome of settling a row."""

    WITH_ID = "with an id"
    """The next run continues with the job that was found."""
    NOT_CHARGED = "not charged"
    """There is no job: the next run submits the row again."""
    ARRIVED = "an id has arrived"
    """An id arrived in the meantime: the next run continues with it."""
    OPEN = "still in doubt"
    """There was no answer, or there is a job with that name: settle the row with its id."""


def with_id(database: Database, key: str, project_id: str) -> Settled:
    """Record the job that a person found for a row.

    Raises:
        InvalidArgument: the row is not doubtful, or the id is invalid.
    """
    if not project_id.isprintable() or not project_id.strip():
        raise InvalidArgument("expected the id of a job", field="project_id")
    with open_beside_run(database) as store:
        if not store.claims.set_project_id(key, project_id):
            raise _not_doubtful(key)
    return Settled.WITH_ID


def not_charged(
    database: Database,
    key: str,
    ask: Callable[[str], bool | None],
    on_wait: Callable[[float], object] = lambda left: None,
) -> Settled:
    """Close a row, wait until nobody can submit it any more, and then ask whether there is no job with its name.

    `ask` returns True if there is none, False if there is one, None if unknown. `on_wait` is called every second with
    the seconds that are left.

    Raises:
        InvalidArgument: the row is not doubtful, or the worker that submitted it is still running.
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
    """Wait on a clock that stops while the machine sleeps: whatever was on its way was suspended too."""
    until = now() + seconds
    while (left := until - now()) > 0:
        on_wait(left)
        sleep(min(left, _STEP_SECONDS))


def _closed(database: Database, key: str, token: str) -> Paid:
    """Take the claim away from its holder.

    Raises:
        InvalidArgument: the row is not doubtful, or its holder is still running.
    """
    with no_other_runner(database), open_beside_run(database) as store:
        paid = store.claims.job_of(key)
        if paid is not None and not paid.closed and is_alive(store.engine, paid.worker):
            holder = f"the worker {paid.worker} that submitted row {key!r}"
            problem = f"{holder} is still running and may still get a response"
            raise InvalidArgument(problem, "stop it first", field="key")
        closed = store.claims.close(key, token)
        if closed is None:
            raise _not_doubtful(key)
        return closed


def _not_doubtful(key: str) -> InvalidArgument:
    return InvalidArgument(f"row {key!r} is not doubtful", field="key")
