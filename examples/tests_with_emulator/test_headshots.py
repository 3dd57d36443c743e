"""Its tests. The fixture `magic_hour` is the service on this machine; `pip install magic-hour-emulator` brings it."""

import shutil
from pathlib import Path

import pytest
from headshots import make_headshots

from magic_hour_emulator import Emulator, samples
from magic_hour_emulator.faults import Fault


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    folder = tmp_path / "portraits"
    folder.mkdir()
    for name in ("ada.jpg", "ben.jpg"):
        shutil.copy(samples.portrait(), folder / name)
    return folder


def test_every_portrait_gets_a_headshot(magic_hour: Emulator, portraits: Path, tmp_path: Path) -> None:
    assert make_headshots(portraits, tmp_path) == []
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["ada.png", "ben.png"]
    assert magic_hour.ledger.charged == 100


def test_a_job_that_fails_is_named_and_refunded(magic_hour: Emulator, portraits: Path, tmp_path: Path) -> None:
    magic_hour.fail_next("no_source_face")
    assert make_headshots(portraits, tmp_path) == ["ada.jpg"]
    assert magic_hour.ledger.refunded == 50


@pytest.mark.magic_hour(faults=[Fault("status", on="put", status=503)])
def test_a_busy_storage_costs_nothing_extra(magic_hour: Emulator, portraits: Path, tmp_path: Path) -> None:
    assert make_headshots(portraits, tmp_path) == []
    assert magic_hour.ledger.charged == 100
