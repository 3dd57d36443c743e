"""What the tests of the vendor's SDK share: its environment, and one running program for each of its two clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from magic_hour_emulator import Emulator
from vendor.environment import FOLDER, PINS, NotInstalledError, provide, python_of
from vendor.session import Session, Vendor


@pytest.fixture(scope="session")
def vendor_python() -> Path:
    """The interpreter that has the vendor's SDK; without the package index there is none, and the tests fail."""
    try:
        provide(FOLDER, PINS)
    except NotInstalledError as problem:
        pytest.fail(str(problem), pytrace=False)
    return python_of(FOLDER)


@pytest.fixture(scope="session", params=["sync", "async"])
def session(
    request: pytest.FixtureRequest, vendor_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    with Session(vendor_python, request.param, tmp_path_factory.mktemp("vendor")) as session:
        yield session


@pytest.fixture
def vendor(session: Session, emulator: Emulator) -> Vendor:
    """The vendor's SDK and the emulator that all tests share."""
    return Vendor(session, emulator.url, emulator.token)


@pytest.fixture
def connect(session: Session) -> Callable[[Emulator], Vendor]:
    """The vendor's SDK and an emulator of the test's own."""
    return lambda emulator: Vendor(session, emulator.url, emulator.token)
