"""A client in its own process, for limits and measurements that the emulator and the test run would disturb.

Rule: a program receives everything as arguments, may import what tests import, and answers by printing.
"""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path

from programs import Program

TESTS = Path(__file__).resolve().parent


def environment() -> dict[str, str]:
    """The environment of the tests, with their modules importable."""
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def child(program: str, *arguments: object) -> str:
    """Run a program, and return what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        with Program(_execute, program, [*map(str, arguments)], environment={}, out=out, err=err) as running:
            try:
                code = running.wait(150)
            finally:
                running.kill()
        assert code == 0, err.read_text()
        return out.read_text()


def _execute(program: str, arguments: list[str]) -> int:
    warnings.simplefilter("error")
    sys.argv = ["program", *arguments]
    exec(compile(textwrap.dedent(program), "program", "exec"), {"__name__": "__main__"})  # noqa: S102  (of a test)
    return 0
