"""Heartbeats and clocks that jump: no live worker is replaced, and no dead one is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from magic_hour_workflows.batch._connections import connect
from magic_hour_workflows.batch._fleet import Fleet, Instant
from magic_hour_workflows.batch._store import Store


def test_a_worker_that_was_heard_of_at_the_last_moment_is_not_taken_for_silent(store: Store) -> None:
    """Between finding it and taking its rows over; on PostgreSQL nothing else comes between the two."""
    fleet = store.fleet

    def said(seconds: float) -> None:
        with store.transaction() as connection:
            connection.execute(sa.text("UPDATE workers SET seen_at = seen_at - :ago"), {"ago": seconds})

    for worker in ("me", "dead", "alive"):
        fleet.beat(worker, "host")
    said(100)
    fleet.beat("me", "host")

    found: list[str] = []

    @sa.event.listens_for(store.engine, "before_cursor_execute")
    def beat(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        if found and statement.startswith("UPDATE workers"):
            cursor.execute("UPDATE workers SET seen_at = seen_at + 100 WHERE worker = 'alive'")
        elif statement.startswith("SELECT workers.worker"):
            found.append(statement)

    assert fleet.silent(50, "me") == ["dead"]
    assert fleet.silent(50, "me") == []  # it is somebody's now


def test_a_database_whose_clock_jumps_ahead_makes_nobody_silent(store: Store) -> None:
    here = [0.0]
    fleet = Fleet(store.engine, clock=lambda: Instant(here[0], here[0]))

    def silent(database: float, machine: float) -> list[str]:
        fleet._now, here[0] = sa.literal(database), machine
        return fleet.silent(20, "me")

    fleet._now = sa.literal(1000.0)
    fleet.beat("other", "host")
    assert silent(1000, 0) == []
    assert silent(1101, 1) == []  # a hundred seconds in one: it had no time to say that it lives
    assert silent(1119, 19) == []
    assert silent(1122, 22) == ["other"]  # by now it had
    assert silent(1123, 23) == []
    fleet.beat("other", "host")
    assert silent(1142.5, 42.5) == []  # heard of again 19.5 seconds ago


def seen(store: Store, worker: str) -> float:
    with store.transaction() as connection:
        return float(connection.scalar(sa.text(f"SELECT seen_at FROM workers WHERE worker = '{worker}'")))  # noqa: S608


def test_a_clock_that_jumps_makes_nobody_silent_and_nobody_immortal(tmp_path: Path) -> None:
    store, clock = Store(connect(f"sqlite:///{tmp_path / 'fleet'}")), [0.0]
    fleet = Fleet(store.engine, lambda: Instant(clock[0], clock[0]))
    ahead = [0.0]
    with store.transaction() as connection:
        raw: Any = connection.connection.driver_connection
        raw.create_function("julianday", 1, lambda _: (1.7e9 + clock[0] + ahead[0]) / 86400 + 2440587.5)
    fleet.beat("me", "host")
    fleet.beat("other", "host")
    assert fleet.silent(20, "me") == []
    clock[0], ahead[0] = 5.0, 86400.0  # the clock is set a day ahead: nobody has had time to say that it lives
    assert fleet.silent(20, "me") == []
    fleet.beat("other", "host")
    clock[0], ahead[0] = 10.0, 0.0  # and back: seen tomorrow is not alive until then
    assert fleet.silent(20, "me") == []
    assert seen(store, "other") <= 1.7e9 + 10.1
    clock[0] = 35.0
    assert fleet.silent(20, "me") == ["other"]
    store.close()
