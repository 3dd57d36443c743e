"""`kill -9` of a plain program, which tells nobody of its job: the job log has it, and `magic-hour jobs` saves it.

Each point once; `make log-kills` has hundreds of random moments.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kill.log_kills import KINDS, kill_after, kill_at
from kill.program import LOG_POINTS
from magic_hour_emulator import Emulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
STATES = {"submitting": "submitting", "answered": "submitting", "recorded": "accepted", "saved": "accepted"}


@pytest.mark.parametrize(
    ("kind", "point"),
    [
        pytest.param(kind, point, marks=[] if (number + turn) % 2 else [pytest.mark.long])
        for number, point in enumerate(LOG_POINTS)
        for turn, kind in enumerate(KINDS)
    ],
)
def test_killed_around_a_line_of_the_log(emulator: Emulator, kind: str, point: str, tmp_path: Path) -> None:
    killed = kill_at(emulator, kind, point, tmp_path)
    assert killed.problems == []
    assert (killed.state, killed.accepted) == (STATES[point], point != "submitting")


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_it_works(emulator: Emulator, kind: str, tmp_path: Path) -> None:
    assert kill_after(emulator, kind, 0.5, tmp_path).problems == []
