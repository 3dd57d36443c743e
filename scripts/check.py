"""Every check that runs no tests: `make check` runs all of them side by side, `make lint` and similar targets one.

    scripts/check.py                  all
    scripts/check.py lint types       some, by name

Rule: a check prints its output only when it fails, and one closing line says which ones failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
Command = tuple[str, ...]


def module(name: str, *arguments: str) -> Command:
    """A command of this environment's Python."""
    return (sys.executable, "-m", name, *arguments)


CHECKS: dict[str, tuple[Command, ...]] = {
    "lint": (module("ruff", "check", "--quiet", "."), module("ruff", "format", "--check", "--quiet", ".")),
    "mypy": (module("mypy"),),
    "pyright": (
        module("pyright"),
        module("pyright", "--ignoreexternal", "--verifytypes", "magic_hour_client"),
        module("pyright", "--ignoreexternal", "--verifytypes", "magic_hour_resources"),
        module("pyright", "--ignoreexternal", "--verifytypes", "magic_hour_workflows"),
    ),
    "imports": ((str(PROGRAMS / "lint-imports"), "--no-logo"),),
    "drift": (
        (sys.executable, "scripts/generate.py", "--check"),
        (sys.executable, "scripts/promise_tests.py", "--check"),
    ),
    "spelling": ((str(PROGRAMS / "codespell"),),),
    "workflows": ((str(PROGRAMS / "zizmor"), "--offline", "--no-progress", "--quiet", ".github"),),
}
"""Each check: commands that have to succeed one after the other."""

# pyright's wrapper asks the network for a newer version unless told not to; `--verifytypes` has no `--pythonpath`, so
# pyright finds the environment through PATH.
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}",
    "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
}


def run(name: str) -> str | None:
    """Run one check; returns its output if it failed."""
    began = time.monotonic()
    for command in CHECKS[name]:
        if not shutil.which(command[0]):
            return f"{command[0]} is not installed: make check sets it up"
        done = subprocess.run(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            return done.stdout
    print(f"{name}: ok ({time.monotonic() - began:.0f} s)", flush=True)
    return None


def main(names: Sequence[str]) -> int:
    """Run the named checks, or all; returns the exit code."""
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known are {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    chosen = list(names) or list(CHECKS)
    began = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
        outputs = dict(zip(chosen, workers.map(run, chosen), strict=True))
    failed = {name: output for name, output in outputs.items() if output is not None}
    for name, output in failed.items():
        print(f"== {name}\n{output}")
    print(f"check: {'failed: ' + ', '.join(failed) if failed else 'ok'} ({time.monotonic() - began:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
