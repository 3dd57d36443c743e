"""A batch with an inbox: a submission without an answer gets the id of its job from an event, and nobody settles it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from magic_hour_emulator import Emulator
from magic_hour_workflows._flows import events as flow
from magic_hour_workflows.batch import Batch
from magic_hour_workflows.events import SubmissionLost
from magic_hour_workflows.webhooks import Inbox, sign
from webhook_events import LIMIT, SECRET, event_body

ROWS = [("fox", "ai_image_generator", {"image_count": 1, "style": {"prompt": "A red fox"}})]


@pytest.mark.parametrize("late", [False, True])
def test_a_lost_answer_costs_nobody_a_moment(
    late: bool, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the event comes while the row waits for it, it continues; if it comes later, the next run does."""
    inbox = Inbox(SECRET)
    lost = threading.Event()
    if late:
        monkeypatch.setattr(flow, "SETTLE_SECONDS", 0.01)

    def deliver() -> None:
        [job] = emulator.jobs
        body = event_body("image.started", job.id, name=job.body["name"], credits_charged=5)
        inbox.receive(body, sign(body, SECRET))

    def on_event(key: str, event: Any) -> None:
        if isinstance(event, SubmissionLost):
            lost.set()
            if not late:
                deliver()

    def run() -> list[str]:
        service: dict[str, Any] = {"token": emulator.token, "base_url": emulator.url, "poll_interval": 0.05}
        with Batch(
            ROWS, output=tmp_path / "out", database=tmp_path / "db", inbox=inbox, on_event=on_event, **service
        ) as batch:
            states = []
            for row in batch.run():
                states.append(str(row.status))
                if late and lost.is_set():
                    deliver()
                    with inbox._handlers._changed:
                        inbox._handlers._changed.wait_for(lambda: inbox._handlers.running == 0, LIMIT)
            return states

    emulator.faults.add("reset", on="create", phase="after")
    assert run() == (["doubtful"] if late else ["saved"])
    lost.clear()
    if late:
        assert run() == ["saved"]
    assert len(emulator.ledger.creates) == 1
    assert emulator.ledger.charged == 5
