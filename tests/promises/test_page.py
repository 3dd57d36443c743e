"""The page of promises: every promise names its proof, and every proof is a test that pytest runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
_NODE = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)+)`")


def rows() -> list[list[str]]:
    """The cells of every row of every table, without headers and rulers."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "promise" and not set("".join(row)) <= set("-|")]


NAMED = {name for row in rows() for name in _NODE.findall(row[2])}
HERE = f"tests/{Path(__file__).parent.name}"


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The tests that pytest finds in this folder and in the files that the page names, without their parameters."""
    files = sorted({name.partition("::")[0] for name in NAMED if not name.startswith(HERE)})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "--long", "-q", "-p", "no:cacheprovider", HERE, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}


def test_every_promise_says_what_happens_and_names_its_proof() -> None:
    assert rows()
    for row in rows():
        assert len(row) == 3, row
        assert all(row), row
        assert _NODE.findall(row[2]), f"no test proves: {row[0]}"
        assert not _NODE.sub("", row[2]).strip(", "), f"not the name of a test: {row[2]}"


def test_no_promise_is_made_twice() -> None:
    promises = [row[0] for row in rows()]
    assert len(set(promises)) == len(promises)


@pytest.mark.slow
def test_every_proof_is_there(collected: set[str]) -> None:
    assert collected >= NAMED, sorted(NAMED - collected)


@pytest.mark.slow
def test_every_test_in_this_folder_proves_something(collected: set[str]) -> None:
    """But for those about the page."""
    mine = {name for name in collected if name.startswith(HERE) and Path(__file__).name not in name}
    assert mine
    assert mine <= NAMED, sorted(mine - NAMED)
