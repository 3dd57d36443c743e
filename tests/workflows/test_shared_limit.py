"""One limit for many callers: threads and processes that share a job log never spend more than it, whatever fails."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from magic_hour_emulator import Emulator
from magic_hour_workflows import Client, MagicHourError, OverLimit
from magic_hour_workflows._job_log.entries import State
from magic_hour_workflows._job_log.store import read
from programs import Program

THREADS, PROCESSES = 8, 4
PRICE = 5


def spend(url: str, token: str, log: Path, limit: float, calls: int) -> int:
    """Make calls in threads until each was accepted, refused or failed; prints how many the limit refused."""

    def one(_: int) -> bool:
        try:
            client.v1.ai_image_generator.create(image_count=1, style={"prompt": "a"}, timeout=600)
        except OverLimit:
            return True
        except MagicHourError:
            pass
        return False

    with Client(token, base_url=url, job_log=log, max_credits=limit) as client, ThreadPoolExecutor(THREADS) as pool:
        print(sum(pool.map(one, range(calls))))
    return 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="programs are forked")
@pytest.mark.parametrize("calls", [240, pytest.param(10_000, marks=pytest.mark.long)])
def test_callers_that_share_a_log_never_pass_its_limit(emulator: Emulator, tmp_path: Path, calls: int) -> None:
    log, granted = tmp_path / "jobs.jsonl", calls // 3
    emulator.faults.add("reset", on="create", phase="after", times=calls // 40)  # charged, and not known to be
    emulator.faults.add("status", on="create", status=403, nth=calls // 20, times=calls // 40)  # refused: not charged
    limit = PRICE * granted
    with ExitStack() as stack:
        programs = [
            stack.enter_context(
                Program(
                    *(spend, emulator.url, emulator.token, log, limit, calls // PROCESSES),
                    environment={},
                    out=tmp_path / f"out-{number}",
                    err=tmp_path / f"err-{number}",
                )
            )
            for number in range(PROCESSES)
        ]
        assert [program.wait(500) for program in programs] == [0] * PROCESSES
    charged = sum(create.credits for create in emulator.ledger.creates)
    refused = sum(int((tmp_path / f"out-{number}").read_text()) for number in range(PROCESSES))
    states = [entry.state for entry in read(log).entries.values()]
    assert charged == limit, "all that the limit allows, and nothing more"
    assert states.count(State.UNKNOWN) == calls // 40
    assert refused == calls - granted - calls // 40
    assert read(log).used(emulator.url, lambda _: False) == charged
    assert read(log).unreadable == 0
