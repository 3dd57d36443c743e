"""The vendor's `delete` and `get` of both kinds of projects, and its bare uploads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from magic_hour_emulator import Emulator, samples
from vendor.session import FOX, TALK, Vendor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PORTRAIT = samples.portrait()
KINDS = [
    pytest.param("ai_image_generator", FOX, "image", id="image"),
    pytest.param("ai_talking_photo", TALK, "video", id="video"),
]


@pytest.mark.parametrize(("resource", "arguments", "kind"), KINDS)
def test_delete_is_for_good(
    vendor: Vendor, emulator: Emulator, resource: str, arguments: dict[str, Any], kind: str
) -> None:
    project = vendor.result(f"{resource}.generate", **arguments, download_outputs=False)
    assert project["status"] == "complete"
    assert vendor.result(f"{kind}_projects.delete", id=project["id"]) is None
    for method in ("get", "delete"):
        error = vendor.error(f"{kind}_projects.{method}", id=project["id"])
        assert (error["type"], error["status"], error["body"]["code"]) == ("ApiError", 404, "not_found")
    deletes = emulator.requests.find(method="DELETE", path=f"/v1/{kind}-projects/{project['id']}")
    assert [(request.status, request.sent, request.authorization) for request in deletes[:1]] == [(204, 0, "right")]
    assert emulator.jobs == []
    assert (len(emulator.ledger.creates), emulator.ledger.refunds) == (1, ())  # what was made is paid for


@pytest.mark.parametrize(("resource", "arguments", "kind"), KINDS)
def test_each_status_is_understood(
    connect: Callable[[Emulator], Vendor], resource: str, arguments: dict[str, Any], kind: str
) -> None:
    with Emulator(frozen=True, seed=0) as emulator:
        vendor = connect(emulator)
        created = vendor.result(f"{resource}.create", **arguments)
        old_name = "frame_cost" if kind == "image" else "estimated_frame_cost"
        assert created[old_name] == created["credits_charged"] == emulator.ledger.charged
        seen = []
        for seconds in (0, 0.5, 10):
            emulator.clock.advance(seconds)
            seen.append(vendor.result(f"{kind}_projects.get", id=created["id"])["status"])
        assert seen == ["queued", "rendering", "complete"]
        emulator.faults.add("job_canceled")
        created = vendor.result(f"{resource}.create", **arguments)
        found = vendor.result(
            f"{kind}_projects.check_result", id=created["id"], wait_for_completion=True, download_outputs=True
        )
        assert (found["status"], found["downloads"], found["error"]) == ("canceled", [], None)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(str(PORTRAIT), id="string"),
        pytest.param({"path": str(PORTRAIT)}, id="path"),
        pytest.param({"open": str(PORTRAIT)}, id="open-file"),
    ],
)
def test_a_bare_upload_can_be_used(vendor: Vendor, emulator: Emulator, file: Any) -> None:
    file_path = vendor.result("files.upload_file", file=file)
    assert emulator.uploaded(file_path).read_bytes() == PORTRAIT.read_bytes()
    (put,) = emulator.requests.find(origin="storage")
    assert (put.method, put.path, put.status, put.authorization) == ("PUT", f"/{file_path}", 200, "absent")
    assert put.received == int(put.headers["content-length"]) == PORTRAIT.stat().st_size
    assert "transfer-encoding" not in put.headers
    project = vendor.result(
        "ai_headshot_generator.generate", assets={"image_file_path": file_path}, download_outputs=False
    )
    assert project["status"] == "complete"
    assert len(emulator.requests.find(origin="storage")) == 1  # it knows its own paths


def test_a_sound_that_its_name_calls_a_video(vendor: Vendor, emulator: Emulator, tmp_path: Path) -> None:
    """The vendor's SDK uploads every `.webm` as a video; on the service, the field that it is used in decides."""
    voice = tmp_path / "voice.webm"
    with av.open(str(voice), "w", format="webm") as media:
        stream = media.add_stream("libopus", 48_000, layout="mono")
        silence = av.AudioFrame(format="s16", layout="mono", samples=48_000)
        silence.sample_rate = 48_000
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        media.mux(stream.encode(silence))
        media.mux(stream.encode(None))
    project = vendor.result(
        "ai_talking_photo.generate",
        assets={"image_file_path": str(PORTRAIT), "audio_file_path": str(voice)},
        start_seconds=0.0,
        end_seconds=0.5,
        download_outputs=False,
    )
    assert (project["status"], project["end_seconds"]) == ("complete", 0.5)
    assert Path(emulator.jobs[0].body["assets"]["audio_file_path"]).name == "video.webm"


@pytest.mark.parametrize("place", ["https://example.com/me.png", "api-assets/id/1234.png"])
def test_what_is_remote_is_not_uploaded(vendor: Vendor, emulator: Emulator, place: str) -> None:
    project = vendor.result("ai_headshot_generator.generate", assets={"image_file_path": place}, download_outputs=False)
    assert project["status"] == "complete"
    assert emulator.jobs[0].body["assets"] == {"image_file_path": place}
    assert emulator.requests.find(path="/v1/files/upload-urls") == []
