"""What the emulator's tests share: one running emulator with a frozen clock, and a plain HTTP client without the SDK.

Rule: raw httpx only. A test that needs another emulator starts its own; all others use the shared one, after a reset.
"""

import io
import math
import wave as wave_file
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from magic_hour_emulator import Emulator
from magic_hour_emulator._jobs import Job
from magic_hour_emulator._render import videos
from servers import LIMIT_SECONDS

Json = dict[str, Any]

DONE_SECONDS = 10.0
TALKING = "/v1/ai-talking-photo"


@dataclass
class Api:
    """An emulator and an HTTP client with its key."""

    emulator: Emulator
    http: httpx.Client

    def create(self, path: str, body: Json) -> Json:
        """Create a job that must be accepted."""
        response = self.http.post(path, json=body)
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        return answer

    def get(self, job_id: str, kind: str = "image") -> Json:
        response = self.http.get(f"/v1/{kind}-projects/{job_id}")
        assert response.status_code == 200, response.text
        project: Json = response.json()
        return project

    def finish(self, path: str, body: Json) -> Json:
        """Create a job, let it end, and return the project."""
        job_id = self.create(path, body)["id"]
        self.emulator.clock.advance(DONE_SECONDS)
        return self.get(job_id, "video" if path == TALKING else "image")

    def slot(self, type: str = "image", extension: str = "png") -> Json:
        body = {"items": [{"type": type, "extension": extension}]}
        slot: Json = self.http.post("/v1/files/upload-urls", json=body).json()["items"][0]
        return slot

    def upload(self, content: bytes, type: str = "image", extension: str = "png") -> str:
        """Upload bytes and return their file_path."""
        slot = self.slot(type, extension)
        response = httpx.put(slot["upload_url"], content=content)
        assert response.status_code == 200, response.text
        return str(slot["file_path"])

    def outputs(self, path: str, body: Json) -> list[bytes]:
        """Create a job, let it end, and fetch all its outputs."""
        project = self.finish(path, body)
        assert project["status"] == "complete", project["error"]
        return [httpx.get(download["url"]).raise_for_status().content for download in project["downloads"]]


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[Emulator]:
    with Emulator(frozen=True, seed=0) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    shared_emulator.reset()
    return shared_emulator


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    with connect(emulator) as http:
        yield Api(emulator, http)


@pytest.fixture
def start() -> Callable[..., Any]:
    """Start an emulator with other options: `with start(credits=10) as api:`."""

    @contextmanager
    def started(**options: Any) -> Iterator[Api]:
        with Emulator(**{"frozen": True, "seed": 0, **options}) as emulator, connect(emulator) as http:
            yield Api(emulator, http)

    return started


@pytest.fixture
def held_frames(monkeypatch: pytest.MonkeyPatch) -> Callable[[Job, Path], list[int]]:
    """Pause the rendering of a video, once its file exists, until its job is abandoned; returns the frames since."""

    def hold(job: Job, directory: Path) -> list[int]:
        drawn: list[int] = []

        def draw(image: object, level: float, number: int, accent: object) -> None:
            if any(directory.rglob("*.part")):
                drawn.append(number)
                assert job.abandoned.wait(LIMIT_SECONDS), "it is not abandoned"

        monkeypatch.setattr(videos, "_bars", draw)
        return drawn

    return hold


@pytest.fixture
def output(api: Api, image_body: Json) -> str:
    """The URL of a finished output."""
    return str(api.finish("/v1/ai-image-generator", image_body)["downloads"][0]["url"])


@pytest.fixture
def image_body() -> Json:
    return {"image_count": 1, "style": {"prompt": "Cool image"}}


@pytest.fixture
def talking_body() -> Json:
    assets = {"image_file_path": "api-assets/id/1234.png", "audio_file_path": "api-assets/id/1234.mp3"}
    return {"assets": assets, "start_seconds": 0.0, "end_seconds": 2.0}


@pytest.fixture
def plain_picture() -> Callable[..., bytes]:
    """The PNG of a picture in one colour."""

    def make(colour: str | tuple[int, int, int], size: tuple[int, int] = (300, 400), format: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.new("RGB", size, colour).save(file, format)
        return file.getvalue()

    return make


def connect(emulator: Emulator) -> httpx.Client:
    return httpx.Client(base_url=emulator.url, headers={"Authorization": f"Bearer {emulator.token}"})


@pytest.fixture
def wave() -> Callable[[list[tuple[int, float]]], bytes]:
    """A WAV file with a sequence of tones: `wave([(440, 1.0), (880, 2.0)])` in Hz and seconds."""

    def make(tones: list[tuple[int, float]], rate: int = 22_050) -> bytes:
        samples = array(
            "h",
            (
                round(12_000 * math.sin(2 * math.pi * hertz * at / rate))
                for hertz, seconds in tones
                for at in range(round(seconds * rate))
            ),
        )
        file = io.BytesIO()
        with wave_file.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(rate)
            sound.writeframes(samples.tobytes())
        return file.getvalue()

    return make
