"""One server for all tests of a process, with a database of its own for each; skipped where PostgreSQL is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from batch.fleet.postgres import Postgres, programs
from magic_hour_emulator import samples


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian and Ubuntu, as root: make packages)")
    with Postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The address of a database with nothing in it."""
    return postgres.database()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The folder that all machines see, with a picture to upload."""
    shutil.copy(samples.portrait(), tmp_path / "anna.png")
    return tmp_path
