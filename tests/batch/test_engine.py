"""How the engine stops: the event loop of DBOS has to be there while its queue may be starting a row."""

from __future__ import annotations

from typing import Any

import pytest

from magic_hour_workflows.batch import _engine as engine
from magic_hour_workflows.batch._fleet import StopSignal
from magic_hour_workflows.batch._store import Store


@pytest.mark.parametrize(
    ("shared", "waiting", "seconds"),
    [
        pytest.param(False, False, 0, id="nothing can be starting"),
        pytest.param(False, True, 1, id="a row is in the queue"),
        pytest.param(True, False, 1, id="another worker may put one back"),
    ],
)
def test_the_loop_of_the_engine_waits_for_its_queue(
    store: Store, monkeypatch: pytest.MonkeyPatch, shared: bool, waiting: bool, seconds: int
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(engine.DBOS, "destroy", lambda **options: asked.append(options))
    if not waiting:
        store.set_rows([])
    engine.Engine(store, StopSignal(), lambda _: pytest.fail("no row runs"), shared=shared).stop()
    assert asked == [{"workflow_completion_timeout_sec": seconds}]
