"""Speed and memory, measured by counting: bytes held, clients and classes made, modules loaded. No stopwatch."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from child_programs import child
from fakes import FakeBackend, call, project
from magic_hour_emulator import Emulator
from magic_hour_workflows import Client
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.wait import wait
from magic_hour_workflows._results import Job
from magic_hour_workflows.events import Downloading, Event, Uploading
from worlds import World

Options = dict[str, Any]
MIB = 1024 * 1024
FILE = 64 * MIB
MOST_HELD = 16 * MIB

TRANSFER = """
import sys, tracemalloc
from worlds import World

world, token, url, id, file, folder = sys.argv[1:]

def scenario(client):
    yield client.v1.image_projects.get(id)  # loads what is loaded late
    tracemalloc.start()
    if file:
        yield client.v1.files.upload_file(file)
    else:
        yield client.v1.image_projects.download(id, folder)
    print(tracemalloc.get_traced_memory()[1])

World(world).run(scenario, token=token, base_url=url)
"""


def image_job(options: Options) -> str:
    """The id of a complete job."""
    with Client(**options) as client:
        result = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "a"}, download_outputs=False)
        return str(result.id)


def large_file(folder: Path) -> Path:
    path = folder / "large.png"
    with path.open("wb") as file:
        file.truncate(FILE)
    return path


@pytest.mark.slow
def test_an_upload_is_never_held_as_a_whole(world: World, options: Options, emulator: Emulator, tmp_path: Path) -> None:
    arguments = (world.name, emulator.token, emulator.url, image_job(options), large_file(tmp_path), "")
    assert int(child(TRANSFER, *arguments)) < MOST_HELD
    [upload] = emulator.requests.find(method="PUT")
    assert upload.received == FILE


@pytest.mark.slow
def test_a_download_is_never_held_as_a_whole(
    world: World, options: Options, emulator: Emulator, tmp_path: Path
) -> None:
    id = image_job(options)
    emulator.put_output(id, 0, large_file(tmp_path))
    folder = tmp_path / "outputs"
    assert int(child(TRANSFER, world.name, emulator.token, emulator.url, id, "", folder)) < MOST_HELD
    assert [path.stat().st_size for path in folder.iterdir()] == [FILE]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_waiting_does_not_hold_up_the_event_loop(
    backend: str, options: Options, portrait: Path, voice: Path, tmp_path: Path
) -> None:
    """A thread's profiler sees every call of `time.sleep` in it, as the sync client shows."""

    def talk(client: Any) -> Any:
        return client.v1.ai_talking_photo.generate(
            assets={"image_file_path": portrait, "audio_file_path": voice},
            start_seconds=0,
            end_seconds=1,
            download_directory=tmp_path,
        )

    def sleeps(world: World) -> int:
        seen: list[Any] = []
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, called: seen.append(called) if called is time.sleep else None)
        try:
            world.call(talk, **options)
        finally:
            sys.setprofile(before)
        return len(seen)

    assert sleeps(World("sync")) > 0
    assert sleeps(World(backend)) == 0


@pytest.mark.usefixtures("small_pictures")
def test_all_files_share_one_http_client(
    world: World, options: Options, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for all files, one for polls and the like, and one for creates, which keep no connection."""
    kind: Any = httpx.AsyncClient if world.is_async else httpx.Client
    made: list[Any] = []
    make = kind.__init__

    def counted(client: Any, *arguments: Any, **more: Any) -> None:
        made.append(client)
        make(client, *arguments, **more)

    monkeypatch.setattr(kind, "__init__", counted)
    content = portrait.read_bytes()

    def scenario(client: Any) -> Generator[Any, Any, Any]:
        for _ in range(2):
            yield client.v1.ai_image_editor.generate(
                assets={"image_file_paths": [(f"{number}.jpg", content + bytes(number)) for number in range(3)]},
                style={"prompt": "At night"},
                image_count=4,
                model="nano-banana-2",
                download_directory=tmp_path,
            )

    world.run(scenario, **options)
    assert len(list(tmp_path.iterdir())) == 8
    assert len(made) == 3


class TestTransfersRunSideBySide:
    """The first hangs until another one makes progress, which would never happen one after another."""

    def test_uploads(self, world: World, options: Options, emulator: Emulator, portrait: Path) -> None:
        content = portrait.read_bytes()
        names: set[str] = set()

        def look(event: Event) -> None:
            if isinstance(event, Uploading):
                names.add(event.name)
                if len(names) == 2:
                    emulator.faults.clear()

        emulator.faults.add("hang", on="put")
        world.call(
            lambda client: client.v1.ai_image_editor.generate(
                assets={"image_file_paths": [("a.jpg", content), ("b.jpg", content + b"\0")]},
                style={"prompt": "At night"},
                download_outputs=False,
                on_progress=look,
                timeout=60,
            ),
            **options,
        )
        assert names == {"a.jpg", "b.jpg"}

    def test_downloads(self, world: World, options: Options, emulator: Emulator, tmp_path: Path) -> None:
        def look(event: Event) -> None:
            if isinstance(event, Downloading):
                emulator.faults.clear()

        emulator.faults.add("hang", on="download")
        result = world.call(
            lambda client: client.v1.ai_image_generator.generate(
                image_count=2, style={"prompt": "a"}, download_directory=tmp_path, on_progress=look, timeout=60
            ),
            **options,
        )
        assert len(result.downloaded_paths) == 2


@pytest.mark.parametrize("random", [0.0, 0.999])
def test_polls_are_never_close_together(random: float) -> None:
    backend = FakeBackend(random=random)
    done = backend.clock + 60
    backend.script("v1.image_projects.get", lambda _: project("complete" if backend.clock >= done else "rendering"))
    began = backend.clock
    run_sync(wait(call(backend), Job("image", "job-1"), new=True))
    assert len(backend.sent_at) > 2
    assert min(after - before for before, after in pairwise([began, *backend.sent_at])) >= 0.9
    assert backend.clock == backend.sent_at[-1], "it does not sleep after the last poll"


def test_no_class_is_made_for_an_answer(world: World) -> None:
    """An unused class stays until the garbage collector runs, which is off here."""
    http: Any = (httpx.AsyncClient if world.is_async else httpx.Client)(
        transport=httpx.MockTransport(
            lambda request: httpx.Response(200, json={"id": "job-1", "status": "queued", "downloads": [{"url": "x"}]})
        )
    )

    def scenario(client: Any) -> Generator[Any, Any, Any]:
        counts = []
        for _ in range(3):
            for _ in range(10):
                yield client.v1.image_projects.get("job-1")
            counts.append(sum(isinstance(thing, type) for thing in gc.get_objects()))
        return counts

    gc.disable()
    try:
        _, before, after = world.run(scenario, token="x", base_url="https://api.example", http_client=http)
    finally:
        gc.enable()
    assert after == before
