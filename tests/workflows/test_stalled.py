"""A transfer that makes no progress is given up long before half an hour, with the id of its job and how to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes import FakeBackend, call, names_in, project, unsent
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.call import STALLED_SECONDS
from magic_hour_workflows._flows.download import download
from magic_hour_workflows._results import Job
from magic_hour_workflows.errors import DownloadFailed, TransferFailed
from worlds import World

JOB = Job(kind="image", id="job-1")
PATIENCE = 30.0
"""Seconds, the longest time between two attempts."""


def save(backend: FakeBackend, folder: Path, timeout: float = 1800.0) -> Any:
    return run_sync(download(call(backend, timeout), JOB, project(), folder))


def test_a_download_without_progress_is_given_up(tmp_path: Path) -> None:
    backend = FakeBackend(random=1.0, fetch=[unsent()])
    with pytest.raises(DownloadFailed, match="job-1") as caught:
        save(backend, tmp_path)
    assert STALLED_SECONDS <= backend.clock - 1000 <= STALLED_SECONDS + PATIENCE
    assert caught.value.project_id == "job-1"
    assert "check_result('job-1')" in str(caught.value)
    assert names_in(tmp_path) == []


def test_one_that_gets_further_now_and_then_has_until_the_deadline(tmp_path: Path) -> None:
    class Dripping(FakeBackend):
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

    backend = Dripping(random=1.0)
    assert len(save(backend, tmp_path)) == 1
    assert backend.clock - 1000 > STALLED_SECONDS


@pytest.mark.parametrize("world", ["sync", "asyncio", "trio"])
def test_a_mistake_in_a_program_is_raised_at_once(world: str, tmp_path: Path) -> None:
    """A `MockTransport` that answers with `content=` has read it already: trying again would not help."""
    fetched: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "storage.example":
            fetched.append(str(request.url))
            return httpx.Response(200, content=b"\x89PNG")
        downloads = [{"url": "https://storage.example/a.png?signature=x", "expires_at": "2027-01-01T00:00:00Z"}]
        return httpx.Response(200, json={"id": "job-1", "status": "complete", "downloads": downloads})

    kind = httpx.Client if world == "sync" else httpx.AsyncClient
    with pytest.raises(httpx.StreamConsumed) as caught:
        World(world).call(
            lambda client: client.v1.image_projects.check_result("job-1", download_directory=tmp_path),
            token="x",
            base_url="https://api.example",
            http_client=kind(transport=httpx.MockTransport(answer)),
        )
    assert len(fetched) == 1
    assert caught.value.project_id == "job-1"  # type: ignore[attr-defined]
