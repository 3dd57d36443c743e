"""Uploads of rows that share files, without a service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from batch.local_batch import steps_of, until
from magic_hour_workflows._sources import Source, from_path
from magic_hour_workflows.batch import _row_workflow as steps
from magic_hour_workflows.batch._fleet import StopSignal
from magic_hour_workflows.batch._store import Store


class Lock(asyncio.Lock):
    """A lock, and how often any was asked for."""

    asked = 0

    async def acquire(self) -> Any:
        Lock.asked += 1
        return await super().acquire()


def files(folder: Path, names: str) -> list[Source]:
    return [from_path(folder / f"{name}.png", "image", "files") for name in names]


def test_rows_with_the_same_files_in_another_order_do_not_wait_for_each_other(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row holds `a` while two others stand in line for it: one wants `b` afterwards, the other took it before."""
    sent: list[str] = []

    async def story() -> list[list[str]]:
        uploading = asyncio.Event()

        async def upload(call: Any, sources: Sequence[Source]) -> list[str]:
            await uploading.wait()
            sent.extend(source.name for source in sources)
            return [f"remote/{source.name}" for source in sources]

        monkeypatch.setattr(steps, "upload", upload)
        work = steps_of(store, tmp_path, StopSignal())
        monkeypatch.setattr(asyncio, "Lock", Lock)
        call: Any = None
        rows = []
        for names in ("a", "ab", "baa"):
            before = Lock.asked
            rows.append(asyncio.ensure_future(work._remote_paths(call, files(tmp_path, names))))
            await until(lambda before=before: Lock.asked > before or rows[-1].done())
        uploading.set()
        async with asyncio.timeout(10):
            return await asyncio.gather(*rows)

    for name in "ab":
        (tmp_path / f"{name}.png").write_text(name)
    a, b = "remote/a.png", "remote/b.png"
    assert asyncio.run(story()) == [[a], [a, b], [b, a, a]]
    assert sorted(sent) == ["a.png", "b.png"]


@pytest.mark.parametrize(("age", "known"), [(0, True), (steps.UPLOADS_LAST + 60, False), (-86400, False)])
def test_an_upload_is_not_believed_to_be_recent_because_a_clock_was_ahead(
    store: Store, tmp_path: Path, age: float, known: bool
) -> None:
    key = ("digest", "image", "png")
    store.add_upload(*key, "remote", time.time() - age)
    assert steps_of(store, tmp_path, StopSignal())._recent_uploads([key]) == ({key: "remote"} if known else {})
