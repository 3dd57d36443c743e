"""`kill -9` at any point of a batch: after a restart it continues; no row is charged twice, and none is lost.

Every named point, and a short campaign; `make batch-kills` kills at a hundred random moments.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from batch.killing.kill_campaign import Campaign, killed_often, slow
from batch.killing.program import KILL_POINTS
from magic_hour_emulator import Emulator
from magic_hour_emulator.faults import Fault

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
IN_DOUBT = {"claimed, not sent", "answered, id not told", "id told, not written down"}
HELD_UP = {
    "sent, never accepted": Fault("hang", on="create", nth=3),
    "accepted, not answered": Fault("hang", on="create", phase="after", nth=3),
    "within an upload": Fault("hang", on="put"),
    "within a download": Fault("stall", on="download", nth=2, at_byte=1000),
}


def test_killed_at_every_point(emulator: Emulator, tmp_path: Path) -> None:
    """One batch, killed everywhere in turn: starting a program is what takes time."""
    campaign = Campaign(emulator, tmp_path, rows=12, concurrency=2)
    for point in KILL_POINTS:
        campaign.kill_at(point)
    assert campaign.kills == len(KILL_POINTS)
    campaign.finish()
    assert campaign.problems == []
    assert len(campaign.doubtful) >= len(IN_DOUBT)


def test_killed_while_held_up_and_at_random_moments(emulator: Emulator, tmp_path: Path) -> None:
    campaign = Campaign(emulator, tmp_path, rows=12, concurrency=2)
    for fault in HELD_UP.values():
        emulator.faults.add(fault)
        campaign.kill_when(lambda: bool(emulator.faults.fired))
        emulator.faults.clear()
    slow(emulator)
    killed_often(campaign, 2, random.Random(0), longest=0.6)
    assert campaign.kills == len(HELD_UP) + 2
    emulator.faults.clear()
    campaign.finish()
    assert campaign.problems == []
    assert campaign.doubtful


def test_without_the_guard_the_same_is_charged_twice(emulator: Emulator, tmp_path: Path) -> None:
    """Killed with a create on its way, an engine that does each step at least once does it twice."""
    emulator.faults.add("hang", on="create", phase="after")
    campaign = Campaign(emulator, tmp_path, rows=5, concurrency=2, guarded=False)
    campaign.kill_when(lambda: bool(emulator.faults.fired))
    emulator.faults.clear()
    campaign.run()
    assert campaign.twice
