"""A client in a process of its own, for limits and measurements that must not meet the emulator or the test run.

Rule: a program gets everything as arguments, may import what tests import, and answers by printing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

TESTS = Path(__file__).resolve().parent


def environment() -> dict[str, str]:
    """This one, with the modules of the tests within reach."""
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def child(program: str, *arguments: object) -> str:
    """What a program prints."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
