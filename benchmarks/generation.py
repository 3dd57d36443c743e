"""How long the generator takes, in a copy, so that nothing in this checkout changes.

Rule: the commands that people type.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .race import Effort, Figures, alternate, column
from .table import OURS, Samples

ROOT = Path(__file__).resolve().parents[1]


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The figures of the wanted rows of this group."""
    found: dict[str, Samples] = {}
    if "generation/full" in wanted:
        with tempfile.TemporaryDirectory() as folder:
            spec = ROOT / "spec" / "magic-hour.openapi.yaml"
            full = ["--spec", str(spec), "--output"]
            numbers = iter(range(100))
            taken = alternate((OURS,), effort.times(5), lambda who: _seconds([*full, f"{folder}/{next(numbers)}"]))
        found["generation/full"] = column(taken, "seconds")
    if "generation/check" in wanted:
        taken = alternate((OURS,), effort.times(5), lambda who: _seconds(["--check"]))
        found["generation/check"] = column(taken, "seconds")
    return found


def _seconds(arguments: list[str]) -> Figures:
    command = [sys.executable, str(ROOT / "scripts" / "generate.py"), *arguments]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - began}
