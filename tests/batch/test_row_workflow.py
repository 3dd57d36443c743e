"""A row that has finished stays as it is when the engine starts it again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from magic_hour_workflows.batch._fleet import StopSignal
from magic_hour_workflows.batch._row_workflow import RowWorkflow
from magic_hour_workflows.batch._rows import RowResult, RowStatus
from magic_hour_workflows.batch._store import Store


class NoSteps:
    """Whoever is asked here did not look how the row ended."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} of a row that has ended")


@pytest.mark.parametrize("ended", [RowStatus.SAVED, RowStatus.FAILED, RowStatus.DOUBTFUL, RowStatus.SKIPPED])
def test_a_row_that_has_ended_is_left_as_it_is(store: Store, ended: RowStatus) -> None:
    """The process ended between writing down how the row ended and telling the engine, which begins it again."""
    store.claims.claim("a", name="a", estimate=5, token="token", worker="w")
    store.finish(RowResult(key="a", endpoint="ai_image_generator", status=ended, error="why"))
    stop_signal = StopSignal()
    steps: Any = NoSteps()
    asyncio.run(RowWorkflow(steps, store, stop_signal).run("a"))
    assert stop_signal.reason is None
    found = store.result("a")
    assert found is not None
    assert (found.status, found.error) == (ended, "why")
