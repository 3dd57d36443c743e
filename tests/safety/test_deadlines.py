"""Calls end at their timeout. `make deadlines` measures how exactly; these tests only prove that they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from magic_hour_emulator import Emulator
from safety.deadlines import CASES, late, seconds_to_end_on_ctrl_c

SLACK = 30.0
"""Generous: these tests prove that there is a bound, not how tight it is. Nothing here ends by itself earlier."""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("world", ["sync", "asyncio"])
def test_a_call_ends_in_time(emulator: Emulator, tmp_path: Path, case: str, world: str) -> None:
    for timeout in (1, 10, 60):  # longer, if a busy machine did not reach the fault in time
        emulator.reset()
        assert late(case, world, timeout, emulator, tmp_path) < SLACK
        if emulator.faults.fired:
            break
    assert emulator.faults.fired
    accepted = any(fault.phase == "after" or fault.on in ("get", "download") for fault in CASES[case])
    assert len(emulator.ledger.creates) == accepted


def test_ctrl_c_ends_a_program_that_uploads(emulator: Emulator) -> None:
    assert seconds_to_end_on_ctrl_c(emulator) < SLACK
