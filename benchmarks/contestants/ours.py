"""This SDK as its users call it. `python -m benchmarks.contestants.ours ORDER SETTINGS` prints figures as JSON."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from magic_hour_workflows import AsyncClient, Client
from magic_hour_workflows._async_backend import AsyncBackend
from magic_hour_workflows._results import Result

from .course import Figures, Order, Stopwatch, order, repeated, repeated_sync, report, several, several_sync, watched

KEY = "mhk_benchmark"
STYLE: Any = {"prompt": "A red fox"}


def job(client: Any, settings: Order, number: int) -> Any:
    """One `generate`; awaitable if the client is async."""
    folder = Path(settings["folder"])
    options = {"download_outputs": settings["download"], "download_directory": folder / str(number)}
    if settings["kind"] == "image":
        return client.v1.ai_image_generator.generate(image_count=1, style=STYLE, **options)
    assets = {"image_file_path": folder / "portrait.png", "audio_file_path": folder / "voice.mp3"}
    return client.v1.ai_talking_photo.generate(assets=assets, start_seconds=0, end_seconds=1, **options)


async def jobs(settings: Order) -> Figures:
    """Many jobs at once in one event loop."""
    async with AsyncClient(KEY, base_url=settings["url"], poll_interval=settings["poll"]) as client:
        await client.v1.image_projects.get("warm-up")
        return await watched(lambda: asyncio.gather(*(job(client, settings, n) for n in range(settings["count"]))))


def threads(settings: Order) -> Figures:
    """Many jobs at once, each in a thread."""
    with Client(KEY, base_url=settings["url"], poll_interval=settings["poll"]) as client:
        client.v1.image_projects.get("warm-up")
        with ThreadPoolExecutor(settings["count"]) as pool:
            watch = Stopwatch()
            list(pool.map(partial(job, client, settings), range(settings["count"])))
            return watch.read()


class ScaledBackend(AsyncBackend):
    """A clock that runs faster, to measure half an hour of waiting. The limits of requests stay the same."""

    scale = 1.0

    def now(self) -> float:
        return time.monotonic() * self.scale

    async def sleep(self, seconds: float, signal: Any = None) -> None:
        await super().sleep(seconds / self.scale, signal)


async def wait(settings: Order) -> Figures:
    """One job, from its submission until it is seen to be done, with the growing interval."""
    async with AsyncClient(KEY, base_url=settings["url"], timeout=7200) as client:
        backend = ScaledBackend(client._transport, 1)  # noqa: SLF001  (its own clock under the same transport)
        backend.scale = settings["scale"]
        client.runner.backend = backend
        await client.v1.image_projects.get("warm-up")
        return await watched(lambda: job(client, {**settings, "kind": "image", "download": False}, 0))


def get_sync(settings: Order) -> Figures:
    """Polling a job repeatedly."""
    with Client(KEY, base_url=settings["url"]) as client:
        return {"seconds": repeated_sync(lambda: client.v1.image_projects.get("some"), settings["times"])}


async def get_async(settings: Order) -> Figures:
    """Polling a job repeatedly."""
    async with AsyncClient(KEY, base_url=settings["url"]) as client:
        return {"seconds": await repeated(lambda: client.v1.image_projects.get("some"), settings["times"])}


def create_sync(settings: Order) -> Figures:
    """Submitting jobs, one after another."""
    with Client(KEY, base_url=settings["url"]) as client:
        create = partial(client.v1.ai_image_generator.create, image_count=1, style=STYLE, name="a")
        return {"seconds": repeated_sync(create, settings["times"])}


async def create_async(settings: Order) -> Figures:
    """Submitting jobs, one after another."""
    async with AsyncClient(KEY, base_url=settings["url"]) as client:
        create = partial(client.v1.ai_image_generator.create, image_count=1, style=STYLE, name="a")
        return {"seconds": await repeated(create, settings["times"])}


async def save(settings: Order) -> Figures:
    """Saving the four outputs of a job."""
    async with AsyncClient(KEY, base_url=settings["url"]) as client:
        await client.v1.image_projects.download("small", settings["folder"])
        return await watched(lambda: client.v1.image_projects.download("some-x4", settings["folder"]))


def up_sync(settings: Order) -> Figures:
    """One large file to storage."""
    with Client(KEY, base_url=settings["url"]) as client:
        client.v1.files.upload_file(Path(settings["folder"]) / "portrait.png")
        return several_sync(settings, lambda _: client.v1.files.upload_file(settings["file"]))


async def up_async(settings: Order) -> Figures:
    """One large file to storage."""
    async with AsyncClient(KEY, base_url=settings["url"]) as client:
        await client.v1.files.upload_file(Path(settings["folder"]) / "portrait.png")
        return await several(settings, lambda _: client.v1.files.upload_file(settings["file"]))


def down_sync(settings: Order) -> Figures:
    """One large file from storage."""
    with Client(KEY, base_url=settings["url"]) as client:
        client.v1.image_projects.download("small", settings["folder"])
        return several_sync(settings, lambda n: client.v1.image_projects.download(f"large-{n}", settings["folder"]))


async def down_async(settings: Order) -> Figures:
    """One large file from storage."""
    async with AsyncClient(KEY, base_url=settings["url"]) as client:
        await client.v1.image_projects.download("small", settings["folder"])
        return await several(settings, lambda n: client.v1.image_projects.download(f"large-{n}", settings["folder"]))


def steps(settings: Order) -> Figures:
    """What the decisions of one job cost: three polls, one output, and a backend that answers at once."""
    from fakes import FakeBackend, created, project  # the tests' world without time, network or disk

    client = Client(KEY, base_url="http://127.0.0.1:1")
    looks = [project("rendering"), project("rendering"), project("complete")]
    calls = 0

    def generate() -> Result:
        nonlocal calls
        backend: Any = FakeBackend(fetch=[b"x"])
        backend.script("v1.ai_image_generator.create", created()).script("v1.image_projects.get", *looks)
        client.runner.backend = backend
        result: Result = job(client, {**settings, "kind": "image", "download": False}, 0)
        calls = len(backend.sent) + len(backend.sleeps)
        return result

    seconds = repeated_sync(generate, settings["times"])
    return {"seconds": seconds / calls}


WORK: dict[str, Any] = {
    function.__name__: function
    for function in (
        *(jobs, threads, wait, save, steps),
        *(get_sync, get_async, create_sync, create_async),
        *(up_sync, up_async, down_sync, down_async),
    )
}

if __name__ == "__main__":
    name, given = order()
    outcome = WORK[name](given)
    report(asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome)
