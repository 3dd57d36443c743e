"""A worker that was stopped between its attempts wakes up when its row is another's, and sends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch.fleet.late import KINDS, played
from batch.fleet.postgres import Postgres


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_wakes_up_too_late_sends_nothing(postgres: Postgres, tmp_path: Path, kind: str) -> None:
    told = played(postgres, tmp_path, kind)
    assert (told["charged"], told["unreported"], told["problems"]) == (1, [], []), told
    assert told["exit code"] == 0
    assert told["refused while it could be seen"]
    assert "was taken over while this worker was stopped or disconnected" in told["said"]
