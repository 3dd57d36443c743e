"""The vendor's `generate`, on all four endpoints, in today's field names and in the retired ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from magic_hour_emulator import Emulator, samples
from media import picture, video
from vendor.session import FOX, Vendor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PORTRAIT = str(samples.portrait())
VOICE = str(samples.voice())
FACE = {"image_file_path": PORTRAIT}
FACE_AND_VOICE = {**FACE, "audio_file_path": VOICE}


@dataclass(frozen=True)
class Case:
    """What is asked for, and what has to come of it."""

    resource: str
    arguments: dict[str, Any]
    type: str
    credits: int
    size: tuple[int, int]
    seconds: float | None = None

    @property
    def kind(self) -> str:
        return "video" if self.seconds else "image"

    @property
    def files(self) -> list[str]:
        """The local files of the request, in its order, each once for every time it is named."""
        return list(_files(self.arguments.get("assets", {})))


def case(id: str, resource: str, type: str, credits: int, size: tuple[int, int], **arguments: Any) -> Any:
    seconds = arguments["end_seconds"] - arguments["start_seconds"] if "end_seconds" in arguments else None
    return pytest.param(Case(resource, arguments, type, credits, size, seconds), id=id)


CASES = [
    case("headshot", *("ai_headshot_generator", "AI_HEADSHOT", 50, (512, 640)), assets=FACE, name="Headshot"),
    case("talking-photo-new", *("ai_talking_photo", "TALKING_PHOTO", 20, (720, 720)), **{"assets": FACE_AND_VOICE,
     "start_seconds": 1.0, "end_seconds": 2.0, "name": "Größe 🙂"}, style={"generation_mode": "prompted",
     "prompt": "Smiling"}, resolution="720p"),
    case("talking-photo-old", *("ai_talking_photo", "TALKING_PHOTO", 30, (360, 360)), **{"assets": FACE_AND_VOICE,
     "start_seconds": 0, "end_seconds": 1.5, "max_resolution": 1024}, style={"generation_mode": "expressive",
     "intensity": 0.29}),
    case("image-generator-new", *("ai_image_generator", "AI_IMAGE", 50, (1024, 576)), **{"image_count": 1,
     "aspect_ratio": "16:9", "model": "nano-banana", "resolution": "1k", "name": "Fox"}, style={"prompt": "A red fox",
     "tool": "ai-anime-generator"}),
    case("image-generator-old", *("ai_image_generator", "AI_IMAGE", 5, (360, 640)), **{"image_count": 1,
     "orientation": "portrait"}, style={"prompt": "A red fox", "tool": "movie-poster-generator",
     "quality_mode": "pro"}),
    case(
        "image-editor-new",
        *("ai_image_editor", "AI_IMAGE_EDITOR", 40, (1024, 768)),
        **{"assets": {"image_file_paths": [PORTRAIT, PORTRAIT]}, "style": {"prompt": "Both in one room"}},
        **{"model": "seedream-v4", "aspect_ratio": "4:3", "resolution": "1k"},
        image_count=1.0,  # the vendor types it `number`
    ),
    case("image-editor-old", *("ai_image_editor", "AI_IMAGE_EDITOR", 50, (640, 640)), **{"assets": FACE,
     "style": {"prompt": "Give me sunglasses", "model": "Nano Banana"}, "name": "Sunglasses"}),
]  # fmt: skip


@pytest.mark.parametrize("asked", CASES)
def test_generate(vendor: Vendor, emulator: Emulator, asked: Case, tmp_path: Path) -> None:
    project = vendor.result(f"{asked.resource}.generate", **asked.arguments, download_directory=str(tmp_path))
    (job,) = emulator.jobs
    assert (project["id"], project["status"], project["type"]) == (job.id, "complete", asked.type)
    assert (project["name"], project["enabled"], project["error"]) == (asked.arguments.get("name"), True, None)
    assert project["credits_charged"] == project["total_frame_cost"] == asked.credits
    assert [(create.id, create.credits) for create in emulator.ledger.creates] == [(job.id, asked.credits)]
    assert (emulator.ledger.charged, emulator.ledger.refunds) == (asked.credits, ())
    assert {**job.body, "assets": None} == {**asked.arguments, "assets": None}
    uploaded = list(_files(job.body.get("assets", {})))
    assert [emulator.uploaded(path).read_bytes() for path in uploaded] == [
        Path(path).read_bytes() for path in asked.files
    ]
    (saved,) = map(Path, project["downloaded_paths"])
    assert saved.parent == tmp_path
    if asked.seconds:
        made = video(saved)
        assert made.size == (project["width"], project["height"]) == asked.size
        assert made.seconds == pytest.approx((asked.seconds, asked.seconds), abs=0.1)
        assert made.comment == f"magic-hour-job {job.id}"
        assert project["download"] == project["downloads"][0]
        assert project["end_seconds"] - project["start_seconds"] == asked.seconds
    else:
        made = picture(saved)
        assert made.size == asked.size
        assert made.text["magic-hour-job"] == job.id
        assert project["image_count"] == 1
    _check_traffic(emulator, asked, job.id, uploaded, saved)


def _check_traffic(emulator: Emulator, asked: Case, job_id: str, uploaded: list[str], saved: Path) -> None:
    """Every request went where it belongs, in order, and none but those to the API carried the key."""
    api, storage = emulator.requests.find(origin="api"), emulator.requests.find(origin="storage")
    assert {(request.authorization, request.status) for request in api} == {("right", 200)}
    assert {(request.authorization, request.status) for request in storage} == {("absent", 200)}
    files = len(asked.files)
    assert [(request.method, request.path) for request in api[: files + 1]] == [
        *[("POST", "/v1/files/upload-urls")] * files,
        ("POST", f"/v1/{asked.resource.replace('_', '-')}"),
    ]
    assert {(request.method, request.path) for request in api[files + 1 :]} == {
        ("GET", f"/v1/{asked.kind}-projects/{job_id}")
    }
    *puts, fetched = storage
    assert sorted((put.method, put.path, put.received) for put in puts) == sorted(
        ("PUT", f"/{path}", Path(local).stat().st_size) for path, local in zip(uploaded, asked.files, strict=True)
    )
    assert (fetched.method, Path(fetched.path).name, fetched.sent) == ("GET", saved.name, saved.stat().st_size)


def _files(assets: dict[str, Any]) -> Iterator[str]:
    for name in ("image_file_path", "image_file_paths", "audio_file_path"):
        value = assets.get(name, [])
        yield from [value] if isinstance(value, str) else value


def test_several_outputs_are_all_served(vendor: Vendor, emulator: Emulator, tmp_path: Path) -> None:
    """The vendor's SDK saves outputs of one base name over each other, so the requests are looked at instead."""
    project = vendor.result(
        "ai_image_generator.generate", **{**FOX, "image_count": 3}, download_directory=str(tmp_path)
    )
    assert project["image_count"] == len(project["downloads"]) == len(set(map(str, project["downloads"]))) == 3
    fetched = emulator.requests.find(origin="storage", method="GET")
    assert [f"{emulator.storage_url}{request.path}" for request in fetched] == [
        download["url"] for download in project["downloads"]
    ]
    assert {request.status for request in fetched} == {200}
    assert emulator.ledger.charged == project["credits_charged"] == 15


def test_all_four_at_once(vendor: Vendor, emulator: Emulator, tmp_path: Path) -> None:
    """At the same time with the async client, one after another with the other."""
    calls = [param.values[0] for param in CASES if param.id.endswith("-new") or param.id == "headshot"]
    folders = [tmp_path / call.resource for call in calls]
    for folder in folders:
        folder.mkdir()
    projects = vendor.results(
        [
            (f"{call.resource}.generate", {**call.arguments, "download_directory": str(folder)})
            for call, folder in zip(calls, folders, strict=True)
        ]
    )
    assert [(project["type"], project["credits_charged"]) for project in projects] == [
        (call.type, call.credits) for call in calls
    ]
    assert {(create.id, create.credits) for create in emulator.ledger.creates} == {
        (project["id"], project["credits_charged"]) for project in projects
    }
    assert len(emulator.ledger.creates) == len(calls) == 4
    for project, call in zip(projects, calls, strict=True):
        (saved,) = map(Path, project["downloaded_paths"])
        assert (video(saved) if call.seconds else picture(saved)).size == call.size


@pytest.mark.parametrize(
    ("resource", "arguments", "kind"),
    [
        pytest.param("ai_image_generator", FOX, "image", id="image"),
        pytest.param(
            "ai_talking_photo", {"assets": FACE_AND_VOICE, "start_seconds": 0, "end_seconds": 1}, "video", id="video"
        ),
    ],
)
def test_not_waiting_and_coming_back(
    connect: Callable[[Emulator], Vendor], resource: str, arguments: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    with Emulator(frozen=True, seed=0) as emulator:
        vendor = connect(emulator)
        started = vendor.result(f"{resource}.generate", **arguments, wait_for_completion=False)
        assert (started["status"], started["downloads"], started["downloaded_paths"]) == ("queued", [], None)
        assert started["credits_charged"] == emulator.ledger.charged
        emulator.clock.advance(10)
        done = vendor.result(
            f"{kind}_projects.check_result",
            id=started["id"],
            wait_for_completion=True,
            download_outputs=True,
            download_directory=str(tmp_path),
        )
        assert (done["status"], len(done["downloads"])) == ("complete", 1)
        assert [Path(path).parent for path in done["downloaded_paths"]] == [tmp_path]
        assert len(emulator.ledger.creates) == 1
