"""What the tests of the vendor's SDK share: its environment, and one running program for each of its two clients.

Rule: the environment holds the vendor's SDK, exactly as pinned, and nothing of ours. It is made once for each Python
version, and made anew for other pins: the stamp is written last, and says what was installed.
"""

from __future__ import annotations

import fcntl
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from magic_hour_emulator import Emulator
from programs import ran
from vendor.session import Session, Vendor

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("constraints.txt")
FOLDER = ROOT / ".venv-vendor" / f"python{sys.version_info.major}.{sys.version_info.minor}"
LISTED = "import importlib.metadata as m; print(*(f'{one.name}=={one.version}' for one in m.distributions()))"


@pytest.fixture(scope="session")
def vendor_python() -> Path:
    """The interpreter that has the vendor's SDK; without the package index there is none, and the tests fail."""
    FOLDER.parent.mkdir(exist_ok=True)
    wanted, stamp = f"{sys.version}\n{PINS.read_text(encoding='utf-8')}", FOLDER / ".stamp"
    with FOLDER.with_name(f"{FOLDER.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several test processes one makes it, the others wait
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(FOLDER, ignore_errors=True)
            done = ran(ROOT / "scripts" / "environment.sh", FOLDER, sys.executable, "-r", PINS)
            if done.returncode:
                pytest.fail(f"the vendor's SDK cannot be installed:\n{done.stdout}", pytrace=False)
            installed = {_pin(line) for line in ran(FOLDER / "bin" / "python", "-c", LISTED).stdout.split()}
            pinned = {_pin(line) for line in wanted.splitlines() if "==" in line}
            assert {pin for pin in installed ^ pinned if not pin.startswith(("pip==", "setuptools=="))} == set()
            stamp.write_text(wanted, encoding="utf-8")
    return FOLDER / "bin" / "python"


def _pin(text: str) -> str:
    name, _, version = text.partition("==")
    return f"{canonicalize_name(name)}=={version}"


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
