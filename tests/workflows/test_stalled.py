"""A transfer that makes no progress is given up long before half an hour, with the id of its job and how to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes import FakeIO, call, names_in, project, unsent
from magic_hour_client.api.v1_image_projects.get_image_project import request as get
from magic_hour_workflows.errors import DownloadFailed, TransferFailed
from magic_hour_workflows.flows.call import STALLED_SECONDS
from magic_hour_workflows.flows.download import download
from magic_hour_workflows.io import run_sync
from magic_hour_workflows.results import Job

JOB = Job(kind="image", id="job-1")
PATIENCE = 30.0
"""Seconds, the longest time between two attempts."""


def save(io: FakeIO, folder: Path, timeout: float = 1800.0) -> Any:
    return run_sync(download(call(io, timeout), JOB, project(), get, folder))


def test_a_download_without_progress_is_given_up(tmp_path: Path) -> None:
    io = FakeIO(random=1.0, fetch=[unsent()])
    with pytest.raises(DownloadFailed, match="job-1") as caught:
        save(io, tmp_path)
    assert STALLED_SECONDS <= io.clock - 1000 <= STALLED_SECONDS + PATIENCE
    assert caught.value.project_id == "job-1"
    assert "check_result('job-1')" in str(caught.value)
    assert names_in(tmp_path) == []


def test_one_that_gets_further_now_and_then_has_until_the_deadline(tmp_path: Path) -> None:
    class Dripping(FakeIO):
        """Every attempt brings a byte, and takes two minutes."""

        async def fetch(self, url: str, target: Any, deadline: float, on_bytes: Any) -> Path:
            self.fetched.append(url)
            target.begin(url, 206 if target.received else 200, headers(target.received))
            target.write(b"\x89PNG"[len(self.fetched) - 1 : len(self.fetched)])
            self.clock += 120
            if len(self.fetched) == 4:
                return target.finish()
            raise TransferFailed("cut")

    def headers(received: int) -> dict[str, str]:
        ranged = {"content-range": f"bytes {received}-3/4"} if received else {"accept-ranges": "bytes"}
        return {"content-length": str(4 - received), "etag": '"a"', **ranged}

    io = Dripping(random=1.0)
    assert len(save(io, tmp_path)) == 1
    assert io.clock - 1000 > STALLED_SECONDS
