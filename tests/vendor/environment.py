"""An environment that holds the vendor's SDK and nothing of ours: made once for each Python version, then kept.

Rule: exactly the pins, or a failure that names what is missing. The stamp is written last and says what was installed,
so an environment that was cut short, or that belongs to other pins or another Python, is made anew.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).with_name("constraints.txt")
FOLDER = Path(__file__).parents[2] / ".venv-vendor" / f"{sys.version_info.major}.{sys.version_info.minor}"
_INSTALL_SECONDS = 240


class NotInstalledError(Exception):
    """The environment could not be made; the message says what is missing."""


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def provide(folder: Path, pins: Path) -> bool:
    """Have an environment with these pins in `folder`; True if it was made now.

    Several test processes may ask at the same time: one makes it, the others wait. The lock lies beside the folder,
    because making the environment empties it, and ends with the process that holds it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "stamp"
        wanted = f"{sys.version}\n{sys.base_prefix}\n{pins.read_text(encoding='utf-8')}"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return False
        _make(folder, pins)
        stamp.write_text(wanted, encoding="utf-8")
        return True


def _make(folder: Path, pins: Path) -> None:
    _run(pins, "venv", "--clear", "--without-pip", str(folder))  # our own pip installs into it, which is quicker
    pip = ["pip", "--python", str(python_of(folder)), "--no-input", "--disable-pip-version-check"]
    # --no-deps and then `check`: whatever the pins have forgotten is an error, not an unpinned package.
    _run(pins, *pip, "install", "--quiet", "--retries", "2", "--no-deps", "--requirement", str(pins))
    _run(pins, *pip, "check")


def _run(pins: Path, *arguments: str) -> None:
    """Run a module of this Python. Of what it says, only its errors are repeated: its warnings name index hosts."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotInstalledError(f"{_what(pins)} could not be installed within {_INSTALL_SECONDS} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stdout.splitlines()[-5:]
        raise NotInstalledError(f"{_what(pins)} could not be installed from the package index:\n" + "\n".join(said))


def _what(pins: Path) -> str:
    names = [line for line in pins.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return f"{', '.join(names)} ({pins.name})"
