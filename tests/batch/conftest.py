"""Batches against an emulator, and the database of a batch by itself: on SQLite, and on a PostgreSQL server.

One server serves all tests of a process, with a new database for each; its tests are skipped where it is not installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from batch.fleet.postgres import Postgres, programs
from batch.local_batch import ROWS, LocalBatch
from magic_hour_emulator import Emulator, samples
from magic_hour_workflows.batch._connections import connect
from magic_hour_workflows.batch._database import database_of
from magic_hour_workflows.batch._manifest import planned
from magic_hour_workflows.batch._store import Store


@pytest.fixture
def local(emulator: Emulator, tmp_path: Path, small_pictures: None) -> LocalBatch:
    return LocalBatch(emulator, tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The rows a, b and c, in a file called `claims`."""
    yield from _with_rows(f"sqlite:///{tmp_path / 'claims'}")


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The same, also on a server."""
    if request.param == "sqlite":
        yield from _with_rows(f"sqlite:///{tmp_path / 'claims'}")
    else:
        yield from _with_rows(database_of(request.getfixturevalue("database")).url)


def _with_rows(url: str) -> Iterator[Store]:
    opened = Store(connect(url))
    opened.set_rows(planned(ROWS))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian and Ubuntu, as root: make packages)")
    with Postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The address of an empty database."""
    return postgres.database()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The directory that all machines see, with an image to upload."""
    shutil.copy(samples.portrait(), tmp_path / "anna.png")
    return tmp_path
