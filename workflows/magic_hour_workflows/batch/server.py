"""Connections to PostgreSQL, where several machines work on one batch, and what to do while the server is away.

Rule: nobody who falls silent holds up the others. The server ends a transaction that stands still, and with it the
locks of a machine that was switched off in the middle of one; a server that restarts is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import event, exc

from magic_hour_client.errors import MagicHourError

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS = 16
"""Of one worker at most; the engine adds one. A server allows 100 unless it is told otherwise."""
IDLE_SECONDS = 10
"""How long a transaction may stand still: less than it takes to miss a worker."""
AWAY_SECONDS = 60.0
"""How long a server may take to restart before the run ends."""
_PAUSE_SECONDS = 0.5
_NOTICE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""libpq's settings by which a server that is gone without a word is noticed."""


class DatabaseAway(MagicHourError):
    """The batch database cannot be reached. What was submitted is remembered there, and the next run goes on."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the batch database cannot be reached ({why}); run the batch again when it can be")
        self.why = why


def connect(url: sa.URL) -> sa.Engine:
    """A connection pool to a server."""
    engine = sa.create_engine(
        url,
        connect_args={name: value for name, value in _NOTICE.items() if name not in url.query},
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=AWAY_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        connection.commit()

    return engine


def away(error: BaseException) -> bool:
    """Whether it was the server or the way to it that failed, and not what was asked of it."""
    if not isinstance(error, exc.DBAPIError):
        return False
    return error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError)


def kind(error: Exception) -> str:
    """What to call a failure of the database; its own text may quote what was written."""
    return type(getattr(error, "orig", None) or error).__name__


def patient(method: Callable[P, T]) -> Callable[P, T]:
    """Do it again when the server was away for a moment; for what is one transaction and may be done twice.

    A commit whose answer was lost may have happened: `method` has to come to the same end then.
    """

    @wraps(method)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return method(*args, **kwargs)
            except exc.DBAPIError as error:
                if not away(error):
                    raise
                if time.monotonic() > deadline:
                    raise DatabaseAway(kind(error)) from None
                time.sleep(_PAUSE_SECONDS)

    return again
