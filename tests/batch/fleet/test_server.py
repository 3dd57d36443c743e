"""The server between the workers: what is said when it cannot be used, and what holds between those that share it."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batch.fleet.fleet_harness import TOKEN, FleetHarness, manifest, problems, service
from batch.fleet.postgres import PASSWORD, Postgres
from magic_hour_client.errors import InvalidArgument, MagicHourError
from magic_hour_emulator import Emulator
from magic_hour_workflows.batch import Batch
from magic_hour_workflows.batch._claims import Claim
from magic_hour_workflows.batch._connections import CONNECTIONS, connect
from magic_hour_workflows.batch._database import database_of
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.errors import DatabaseAway

NOWHERE = "http://127.0.0.1:1"
ROWS = [("fox", "ai_image_generator", {"image_count": 1, "style": {"prompt": "A red fox"}})]


def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# What is said


def addresses(postgres: Postgres) -> dict[str, str]:
    right = postgres.database()
    return {
        "nobody there": f"postgresql://fleet:{PASSWORD}@127.0.0.1:{unused_port()}/batch",
        "no such database": postgres.url("nothing"),
        "wrong password": right.replace(PASSWORD, f"not-{PASSWORD}"),
        "no such host": f"postgresql://fleet:{PASSWORD}@no-such-host.invalid/batch",
        "password among the options": f"postgresql://127.0.0.1:{unused_port()}/batch?user=me&password={PASSWORD}",
        "an option that is not known": f"{right}?no_such_option={PASSWORD}",
        "an at sign too many": f"postgresql://fleet:p@{PASSWORD}@127.0.0.1:{unused_port()}/batch",
        "a slash in the password": f"postgresql://fleet:p/{PASSWORD}@127.0.0.1:{unused_port()}/batch",
        "a question mark in it": f"postgresql://fleet:p?{PASSWORD}@127.0.0.1:{unused_port()}/batch",
        "no port": f"postgresql://fleet:{PASSWORD}@127.0.0.1:port/batch",
        "another kind": f"mysql://fleet:{PASSWORD}@127.0.0.1/batch",
    }


def test_a_server_that_cannot_be_used_is_told_without_the_password(
    postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for what, address in addresses(postgres).items():
        with pytest.raises(MagicHourError) as said:
            list(Batch(ROWS, output=tmp_path, database=address, token=TOKEN, base_url=NOWHERE).run())
        assert isinstance(said.value, (InvalidArgument, DatabaseAway)), what
        told = "".join(traceback.format_exception(said.value)) + repr(said.value)
        assert PASSWORD not in told, what
    captured = capfd.readouterr()
    assert PASSWORD not in caplog.text + captured.out + captured.err


def test_a_database_is_shown_without_its_password() -> None:
    for address in (f"postgresql://me:{PASSWORD}@db/b", f"postgresql://db/b?user=me&password={PASSWORD}"):
        database = database_of(address)
        assert PASSWORD not in f"{database} {database!r}"


def test_a_run_logs_no_password(
    database: str,
    shared: Path,
    options: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy.engine")  # it shows what is connected to, if anything does
    batch = Batch(ROWS, output=shared / "outputs", database=database, **options)
    assert [row.status for row in batch.run()] == ["saved"]
    captured = capfd.readouterr()
    assert "dbos" in caplog.text  # or it would say nothing about the engine
    assert PASSWORD not in caplog.text + captured.out + captured.err


def test_a_worker_without_a_batch_is_told_so(database: str) -> None:
    with pytest.raises(InvalidArgument, match="no batch was started") as said:
        list(Batch(None, database=database, token=TOKEN, base_url=NOWHERE).run())
    assert PASSWORD not in str(said.value)


def test_a_worker_does_not_see_the_shared_folder(
    database: str, tmp_path: Path, emulator: Emulator, options: dict[str, Any]
) -> None:
    told = {"database": database, **options}
    list(Batch(ROWS, output=tmp_path / "outputs", **told).run())
    with pytest.raises(InvalidArgument, match="must share under this path"):
        list(Batch(None, output=tmp_path / "elsewhere", **told).run())
    (tmp_path / "outputs").rename(tmp_path / "not mounted")
    with pytest.raises(InvalidArgument, match="must share under this path"):
        list(Batch(None, **told).run())
    assert len(emulator.ledger.creates) == 1


# What holds between workers


def test_a_worker_that_stands_still_in_a_transaction_holds_up_nobody(database: str) -> None:
    still, alive = (Store(connect(database_of(database).url)) for _ in range(2))
    with contextlib.suppress(sa.exc.DBAPIError), still.transaction() as connection:
        connection.execute(sa.text("UPDATE batch SET committed = 1000"))
        granted = alive.claims.claim("a", name="a", estimate=5, token="token", worker="test")
        assert granted is Claim.GRANTED  # the server has ended the transaction that held the lock
    assert alive.settings()["committed"] == 5
    still.close()
    alive.close()


def test_a_worker_needs_few_connections(postgres: Postgres, database: str, shared: Path) -> None:
    keys = manifest(shared, 20)
    with service(speed=20) as emulator, FleetHarness(emulator, database, shared) as harness:
        one = harness.worker("one", manifest=str(shared / "rows.jsonl"), options={"concurrency": 20})
        harness.until("the first row", one.lines)
        name = database.rpartition("/")[2]
        used = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
        most = 0
        while one.running:
            most = max(most, postgres.execute("postgres", used)[0][0])
            time.sleep(0.1)
        assert problems(harness, keys) == []
    assert 2 <= most <= CONNECTIONS + 2  # its session and the engine's


# Workers


def test_three_workers_may_begin_at_once_on_an_empty_database(database: str, shared: Path) -> None:
    keys = manifest(shared, 6)
    with service(speed=20) as emulator, FleetHarness(emulator, database, shared) as harness:
        workers = [harness.worker(name, manifest=str(shared / "rows.jsonl")) for name in ("one", "two", "three")]
        assert [worker.wait() for worker in workers] == [0, 0, 0], harness.story()
        assert problems(harness, keys) == []
        assert {line["status"] for worker in workers for line in worker.lines() if "key" in line} == {"saved"}


def test_a_batch_begun_by_one_release_is_finished_by_the_next(database: str, shared: Path) -> None:
    keys = manifest(shared, 12)
    with service(speed=3) as emulator, FleetHarness(emulator, database, shared) as harness:
        told: dict[str, Any] = {"manifest": str(shared / "rows.jsonl"), "options": {"concurrency": 2}}
        old = harness.worker("old", release="1.0.0", **told)
        harness.until("some rows", lambda: len(old.lines()) >= 2)
        new = harness.worker("new", release="99.0.0")
        harness.until("the next release at work", lambda: harness.under_way("new"))
        old.signal(signal.SIGTERM)
        assert [old.wait(), new.wait()] == [0, 0], harness.story()
        assert problems(harness, keys) == []
        assert {result.status for result in harness.results()} == {"saved"}
