"""A small audit in the default suite; `make audit` makes a thousand calls."""

from __future__ import annotations

from collections import Counter

import pytest

from faults.audit import AFTER_ACCEPT, COME_BACK, MUST_BE_0, audit, draw
from faults.outcomes import SILENT
from magic_hour_emulator import Emulator
from worlds import World

CALLS = 20


@pytest.mark.parametrize("world", ["sync", "asyncio"])
def test_every_job_of_many_calls_is_accounted_for(world: str) -> None:
    waits = (*SILENT, "job_stuck")
    faults = [fault for fault in draw(CALLS, seed=2) if fault.kind not in waits]
    faults += [next(fault for fault in AFTER_ACCEPT if fault.kind == "hang"), COME_BACK[0]]
    account = audit(World(world), faults)
    assert account.is_clean, f"\n{account}"
    assert account.counts["SubmissionUnknown"] > 0
    assert account.counts["Result"] > 0
    assert account.counts["left over, then waited for by id"] == account.counts["SubmissionUnknown"]
    assert account.counts["jobs accepted"] == len(faults)


def test_what_is_not_0_is_seen() -> None:
    account = audit(World("sync"), [])
    assert account.is_clean
    for what in MUST_BE_0:
        account.counts = Counter({what: 1})
        assert not account.is_clean
    account.counts = Counter()
    account.charged = 5
    assert not account.is_clean, "charged, and not reported"


def test_polls_alone_complete_a_job_of_which_nobody_asked_yet() -> None:
    with Emulator(seed=0, polls_to_complete=1) as emulator:
        World("sync").call(
            lambda client: client.v1.ai_image_generator.create(image_count=1, style={"prompt": "A red fox"}),
            token=emulator.token,
            base_url=emulator.url,
        )
        assert [job.status for job in emulator.jobs] == ["queued"]
