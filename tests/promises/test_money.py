"""No paid job is lost: the promises about money that need a whole service as proof."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from child_programs import environment
from fakes import names_in
from magic_hour_emulator import Emulator
from magic_hour_workflows.errors import DownloadFailed, JobCanceled, JobFailed, JobTimeout, MagicHourError, Unauthorized
from magic_hour_workflows.events import Created, Event
from servers import LIMIT_SECONDS
from worlds import World

pytestmark = pytest.mark.usefixtures("small_pictures")
Options = dict[str, Any]


def generate(client: Any, **more: Any) -> Any:
    return client.v1.ai_image_generator.generate(**{"image_count": 1, "style": {"prompt": "A red fox"}, **more})


BAD_ENDS = {
    "refused": ("status", {"on": "get", "status": 401}, Unauthorized),
    "failed": ("job_error", {}, JobFailed),
    "canceled": ("job_canceled", {}, JobCanceled),
    "stuck in draft": ("job_stuck", {"status": "draft"}, JobTimeout),
    "not given by storage": ("status", {"on": "download", "status": 405}, DownloadFailed),
}


@pytest.mark.parametrize("name", BAD_ENDS)
def test_every_end_after_the_charge_names_the_job(
    world: World, options: Options, emulator: Emulator, tmp_path: Path, name: str
) -> None:
    kind, parameters, error = BAD_ENDS[name]
    emulator.faults.add(kind, **parameters)
    timeout = 1 if error is JobTimeout else 60
    with pytest.raises(error) as caught:
        world.call(lambda client: generate(client, download_directory=tmp_path, timeout=timeout), **options)
    [create] = emulator.ledger.creates
    assert isinstance(caught.value, MagicHourError)
    assert caught.value.project_id == create.id
    assert create.id in str(caught.value)
    assert names_in(tmp_path) == []


def test_a_missing_directory_is_made_before_anything_is_paid(world: World, options: Options, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    was_there: list[bool] = []

    def look(event: Event) -> None:
        if isinstance(event, Created):
            was_there.append(folder.is_dir())

    result = world.call(lambda client: generate(client, download_directory=folder, on_progress=look), **options)
    assert was_there == [True]
    assert [path.parent for path in result.downloaded_paths] == [folder]


def test_an_expired_download_url_is_replaced(
    world: World, options: Options, emulator: Emulator, tmp_path: Path
) -> None:
    def scenario(client: Any) -> Generator[Any, Any, Any]:
        started = yield generate(client, download_outputs=False)
        looks = len(emulator.requests.find(origin="api", method="GET"))
        emulator.faults.add("expired_url", on="download")
        paths = yield client.v1.image_projects.download(started.id, tmp_path)
        return paths, len(emulator.requests.find(origin="api", method="GET")) - looks

    paths, looks = world.run(scenario, **options)
    assert [path.name for path in paths] == names_in(tmp_path)
    assert looks == 2, "once for the first URL, once for a fresh one"


def test_a_path_survives_the_failure_of_another_download(
    world: World, options: Options, emulator: Emulator, tmp_path: Path
) -> None:
    """One at a time, so that the first is complete when the second fails."""
    emulator.faults.add("status", on="download", nth=2, status=405)
    with pytest.raises(DownloadFailed) as caught:
        world.call(
            lambda client: generate(client, image_count=2, download_directory=tmp_path),
            **options,
            max_parallel=1,
        )
    [path] = caught.value.downloaded_paths
    assert [path.name] == names_in(tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_failed_download_stops_no_other(world: World, options: Options, emulator: Emulator, tmp_path: Path) -> None:
    """The first fails at once, while three slow others are running or have not started."""
    emulator.faults.add("status", on="download", status=405)
    emulator.faults.add("delay", on="download", phase="after", seconds=0.2, nth=2, times=3)
    with pytest.raises(DownloadFailed, match=r"\(3 of 4\)") as caught:
        world.call(
            lambda client: generate(client, image_count=4, download_directory=tmp_path),
            **options,
            max_parallel=3,
        )
    assert [each.fault.kind for each in emulator.faults.fired] == ["status", "delay", "delay", "delay"]
    assert sorted(path.name for path in caught.value.downloaded_paths) == names_in(tmp_path)
    assert len(names_in(tmp_path)) == 3
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in caught.value.downloaded_paths)


INTERRUPTED = """
import signal, sys
from worlds import World

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores Ctrl-C for what it runs in the background

def generate(client):
    return client.v1.ai_image_generator.generate(
        image_count=1, style={"prompt": "a"}, download_outputs=False, on_progress=lambda e: print(e, flush=True)
    )

World(sys.argv[3]).call(generate, token=sys.argv[1], base_url=sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_of_a_program_tells_the_id(world: World) -> None:
    with Emulator(frozen=True, seed=0) as emulator:
        command, pipe = [sys.executable, "-c", INTERRUPTED, emulator.token, emulator.url, world.name], subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment()) as program:
            try:
                assert program.stdout is not None
                first = program.stdout.readline()
                program.send_signal(signal.SIGINT)
                _, errors = program.communicate(timeout=LIMIT_SECONDS)
            finally:
                program.kill()
        [create] = emulator.ledger.creates
    assert create.id in first
    assert "KeyboardInterrupt" in errors
    assert f"check_result('{create.id}')" in errors
    assert emulator.token not in errors
