"""The same work written by hand with httpx: one shared client, a limit on requests, streams to and from disk.

Rule: what a good programmer would write in an afternoon; no retries, no checks, no names that are free, which is why
it is hard to beat.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import httpx

from .course import Figures, Order, Stopwatch, order, repeated, repeated_sync, report, several, several_sync, watched

HEADERS = {"authorization": "Bearer mhk_benchmark"}
GATE = 16
CHUNK = 256 * 1024
IMAGE: Any = {"image_count": 1, "style": {"prompt": "A red fox"}, "name": "a"}


def client(settings: Order) -> httpx.Client:
    return httpx.Client(base_url=settings["url"], headers=HEADERS, timeout=60)


def aclient(settings: Order) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=settings["url"], headers=HEADERS, timeout=60)


class Program:
    """Jobs with a shared async client and a limit on requests."""

    def __init__(self, http: httpx.AsyncClient, settings: Order) -> None:
        self.http = http
        self.settings = settings
        self.folder = Path(settings["folder"])
        self.gate = asyncio.Semaphore(GATE) if settings.get("gate", True) else nullcontext()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with self.gate:
            response = await self.http.request(method, path, json=body)
        response.raise_for_status()
        return response.json()

    async def put(self, url: str, path: Path) -> None:
        async with self.gate:
            response = await self.http.put(url, content=path.read_bytes())  # noqa: ASYNC240  (small files)
        response.raise_for_status()

    async def fetch(self, url: str, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        async with self.gate, self.http.stream("GET", url) as response:
            response.raise_for_status()
            with path.open("wb") as file:
                async for chunk in response.aiter_bytes():
                    file.write(chunk)

    async def body(self) -> tuple[str, str, Any]:
        if self.settings["kind"] == "image":
            return "/v1/ai-image-generator", "image-projects", IMAGE
        files = [self.folder / "portrait.png", self.folder / "voice.mp3"]
        wanted = [{"type": "image", "extension": "png"}, {"type": "audio", "extension": "mp3"}]
        places = (await self.call("POST", "/v1/files/upload-urls", {"items": wanted}))["items"]
        await asyncio.gather(*(self.put(place["upload_url"], path) for place, path in zip(places, files, strict=True)))
        assets = {"image_file_path": places[0]["file_path"], "audio_file_path": places[1]["file_path"]}
        body = {"assets": assets, "start_seconds": 0, "end_seconds": 1, "name": "a"}
        return "/v1/ai-talking-photo", "video-projects", body

    async def job(self, number: int) -> None:
        path, projects, body = await self.body()
        id = (await self.call("POST", path, body))["id"]
        while True:
            await asyncio.sleep(self.settings["poll"])
            project = await self.call("GET", f"/v1/{projects}/{id}")
            if project["status"] == "complete":
                break
        if self.settings["download"]:
            for output, download in enumerate(project["downloads"]):
                await self.fetch(download["url"], self.folder / str(number) / f"{id}-{output}.bin")


async def jobs(settings: Order) -> Figures:
    async with aclient(settings) as http:
        program = Program(http, settings)
        await program.call("GET", "/v1/image-projects/warm-up")
        return await watched(lambda: asyncio.gather(*(program.job(n) for n in range(settings["count"]))))


async def wait(settings: Order) -> Figures:
    scaled = {**settings, "kind": "image", "download": False, "poll": 0.5 / settings["scale"]}
    async with aclient(settings) as http:
        program = Program(http, scaled)
        await program.call("GET", "/v1/image-projects/warm-up")
        return await watched(lambda: program.job(0))


def threads(settings: Order) -> Figures:
    gate = BoundedSemaphore(GATE)

    def job(number: int) -> None:
        with gate:
            id = http.post("/v1/ai-image-generator", json=IMAGE).raise_for_status().json()["id"]
        while True:
            time.sleep(settings["poll"])
            with gate:
                project = http.get(f"/v1/image-projects/{id}").raise_for_status().json()
            if project["status"] == "complete":
                break
        with gate:
            _fetch(http, project["downloads"][0]["url"], Path(settings["folder"]) / f"{id}-{number}.bin")

    with client(settings) as http:
        http.get("/v1/image-projects/warm-up")
        with ThreadPoolExecutor(settings["count"]) as pool:
            watch = Stopwatch()
            list(pool.map(job, range(settings["count"])))
            return watch.read()


def get_sync(settings: Order) -> Figures:
    with client(settings) as http:
        return {"seconds": repeated_sync(lambda: http.get("/v1/image-projects/some").json(), settings["times"])}


async def get_async(settings: Order) -> Figures:
    async with aclient(settings) as http:

        async def get() -> Any:
            return (await http.get("/v1/image-projects/some")).json()

        return {"seconds": await repeated(get, settings["times"])}


def _limits(settings: Order) -> httpx.Limits:
    """Kept connections, or, as for everything that charges credits in this SDK, a fresh one for each request."""
    return httpx.Limits(max_keepalive_connections=0 if settings["fresh"] else None)


def create_sync(settings: Order) -> Figures:
    with httpx.Client(base_url=settings["url"], headers=HEADERS, limits=_limits(settings)) as http:
        create = lambda: http.post("/v1/ai-image-generator", json=IMAGE).json()  # noqa: E731
        return {"seconds": repeated_sync(create, settings["times"])}


async def create_async(settings: Order) -> Figures:
    async with httpx.AsyncClient(base_url=settings["url"], headers=HEADERS, limits=_limits(settings)) as http:

        async def create() -> Any:
            return (await http.post("/v1/ai-image-generator", json=IMAGE)).json()

        return {"seconds": await repeated(create, settings["times"])}


async def save(settings: Order) -> Figures:
    async with aclient(settings) as http:
        program = Program(http, settings)

        async def outputs(id: str) -> None:
            project = await program.call("GET", f"/v1/image-projects/{id}")
            urls = [item["url"] for item in project["downloads"]]
            await asyncio.gather(*(program.fetch(url, program.folder / id / str(n)) for n, url in enumerate(urls)))

        await outputs("small")
        return await watched(lambda: outputs("some-x4"))


def _blocks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(CHUNK):
            yield block


async def _ablocks(path: str) -> AsyncIterator[bytes]:
    for block in _blocks(path):
        yield block


def up_sync(settings: Order) -> Figures:
    def up(file: str) -> None:
        length = {"content-length": str(os.path.getsize(file))}
        wanted = {"items": [{"type": "image", "extension": "png"}]}
        url = http.post("/v1/files/upload-urls", json=wanted).json()["items"][0]["upload_url"]
        http.put(url, content=_blocks(file), headers=length).raise_for_status()

    with client(settings) as http:
        up(f"{settings['folder']}/portrait.png")
        return several_sync(settings, lambda _: up(settings["file"]))


async def up_async(settings: Order) -> Figures:
    async def up(file: str) -> None:
        length = {"content-length": str(os.path.getsize(file))}  # noqa: ASYNC240  (as programs do)
        wanted = {"items": [{"type": "image", "extension": "png"}]}
        url = (await http.post("/v1/files/upload-urls", json=wanted)).json()["items"][0]["upload_url"]
        (await http.put(url, content=_ablocks(file), headers=length)).raise_for_status()

    async with aclient(settings) as http:
        await up(f"{settings['folder']}/portrait.png")
        return await several(settings, lambda _: up(settings["file"]))


def _fetch(http: httpx.Client, url: str, path: Path) -> None:
    with http.stream("GET", url) as response, path.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            file.write(chunk)


def down_sync(settings: Order) -> Figures:
    def down(id: str) -> None:
        url = http.get(f"/v1/image-projects/{id}").json()["downloads"][0]["url"]
        _fetch(http, url, Path(settings["folder"]) / f"{id}.bin")

    with client(settings) as http:
        down("small")
        return several_sync(settings, lambda n: down(f"large-{n}"))


async def down_async(settings: Order) -> Figures:
    async with aclient(settings) as http:
        program = Program(http, settings)

        async def down(id: str) -> None:
            url = (await program.call("GET", f"/v1/image-projects/{id}"))["downloads"][0]["url"]
            await program.fetch(url, program.folder / id / "output.bin")

        await down("small")
        return await several(settings, lambda n: down(f"large-{n}"))


WORK: dict[str, Any] = {
    function.__name__: function
    for function in (
        *(jobs, threads, wait, save),
        *(get_sync, get_async, create_sync, create_async),
        *(up_sync, up_async, down_sync, down_async),
    )
}

if __name__ == "__main__":
    name, given = order()
    outcome = WORK[name](given)
    report(asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome)
