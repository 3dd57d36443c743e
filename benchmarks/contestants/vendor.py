"""The vendor's own Python SDK as its documentation shows it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from magic_hour import AsyncClient, Client

from .course import Figures, Order, Stopwatch, order, repeated, repeated_sync, report, several, several_sync, watched

KEY = "mhk_benchmark"
STYLE: Any = {"prompt": "A red fox"}


def client(settings: Order) -> Any:
    return Client(token=KEY, base_url=settings["url"])


def aclient(settings: Order) -> Any:
    return AsyncClient(token=KEY, base_url=settings["url"])


def job(client: Any, settings: Order, number: int) -> Any:
    folder = Path(settings["folder"])
    own = folder / str(number)
    own.mkdir(exist_ok=True)  # it makes none itself, and two jobs in one folder overwrite each other
    options = {"download_outputs": settings["download"], "download_directory": str(own)}
    if settings["kind"] == "image":
        return client.v1.ai_image_generator.generate(image_count=1, style=STYLE, **options)
    assets = {"image_file_path": str(folder / "portrait.png"), "audio_file_path": str(folder / "voice.mp3")}
    return client.v1.ai_talking_photo.generate(assets=assets, start_seconds=0, end_seconds=1, **options)


async def jobs(settings: Order) -> Figures:
    made = aclient(settings)
    await made.v1.image_projects.get(id="warm-up")
    return await watched(lambda: asyncio.gather(*(job(made, settings, n) for n in range(settings["count"]))))


async def wait(settings: Order) -> Figures:
    made = aclient(settings)
    await made.v1.image_projects.get(id="warm-up")
    return await watched(lambda: job(made, {**settings, "kind": "image", "download": False}, 0))


def threads(settings: Order) -> Figures:
    made = client(settings)
    made.v1.image_projects.get(id="warm-up")
    with ThreadPoolExecutor(settings["count"]) as pool:
        watch = Stopwatch()
        list(pool.map(partial(job, made, settings), range(settings["count"])))
        return watch.read()


def get_sync(settings: Order) -> Figures:
    made = client(settings)
    return {"seconds": repeated_sync(lambda: made.v1.image_projects.get(id="some"), settings["times"])}


async def get_async(settings: Order) -> Figures:
    made = aclient(settings)
    return {"seconds": await repeated(lambda: made.v1.image_projects.get(id="some"), settings["times"])}


def create_sync(settings: Order) -> Figures:
    create = partial(client(settings).v1.ai_image_generator.create, image_count=1, style=STYLE, name="a")
    return {"seconds": repeated_sync(create, settings["times"])}


async def create_async(settings: Order) -> Figures:
    create = partial(aclient(settings).v1.ai_image_generator.create, image_count=1, style=STYLE, name="a")
    return {"seconds": await repeated(create, settings["times"])}


def check(client: Any, id: str, settings: Order) -> Any:
    folder = str(settings["folder"])
    return client.v1.image_projects.check_result(
        id=id, wait_for_completion=True, download_outputs=True, download_directory=folder
    )


async def save(settings: Order) -> Figures:
    made = aclient(settings)
    await check(made, "small", settings)
    return await watched(lambda: check(made, "some-x4", settings))


def up_sync(settings: Order) -> Figures:
    made = client(settings)
    made.v1.files.upload_file(str(Path(settings["folder"]) / "portrait.png"))
    return several_sync(settings, lambda _: made.v1.files.upload_file(str(settings["file"])))


async def up_async(settings: Order) -> Figures:
    made = aclient(settings)
    await made.v1.files.upload_file(str(Path(settings["folder"]) / "portrait.png"))
    return await several(settings, lambda _: made.v1.files.upload_file(str(settings["file"])))


def down_sync(settings: Order) -> Figures:
    made = client(settings)
    check(made, "small", settings)
    return several_sync(settings, lambda n: check(made, f"large-{n}", settings))


async def down_async(settings: Order) -> Figures:
    made = aclient(settings)
    await check(made, "small", settings)
    return await several(settings, lambda n: check(made, f"large-{n}", settings))


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
