"""`kill -9` at any point of a paid job: it is charged at most once, found again, and no file is wrong.

Every point once, the kinds of program in turn; `make test-long` has each kind at each point, `make kills` many times.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from kill.kill_points import INSIDE, POINTS
from kill.killing import KINDS, kill_after, kill_at, moment, undisturbed
from magic_hour_emulator import Emulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
CASES = [
    pytest.param(kind, name, marks=[] if (number + number // 3) % 3 == turn else [pytest.mark.long])
    for number, name in enumerate(POINTS)
    for turn, kind in enumerate(KINDS)
]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_killed_at_a_point(emulator: Emulator, kind: str, name: str, tmp_path: Path) -> None:
    killed = kill_at(emulator, kind, name, tmp_path)
    assert killed.problems == []
    assert killed.finished == bool(killed.accepted)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random_moments(emulator: Emulator, kind: str, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    length = undisturbed(emulator, kind, folders[0])
    chance = random.Random(0)
    for folder in folders[1:]:
        assert kill_after(emulator, kind, moment(chance, length), folder).problems == []


def test_every_point_within_the_program_has_a_name_there() -> None:
    assert set(INSIDE) == {name for name, point in POINTS.items() if point.inside}
