"""What the emulator refuses reaches the user of the vendor's SDK as that SDK's own error, and costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magic_hour_emulator import Emulator, samples
from vendor.session import Vendor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FOX = {"image_count": 1, "style": {"prompt": "A red fox"}}
EXAMPLE = {"image_file_path": "api-assets/id/1234.png"}
TALK = {
    "assets": {**EXAMPLE, "audio_file_path": "api-assets/id/1234.mp3"},
    "start_seconds": 0.0,
    "end_seconds": 1.0,
}
CREATES = {
    "ai_headshot_generator": {"assets": EXAMPLE},
    "ai_talking_photo": TALK,
    "ai_image_generator": FOX,
    "ai_image_editor": {"assets": EXAMPLE, "style": {"prompt": "Give me sunglasses"}},
}


@pytest.mark.parametrize("key", ["mhk_live_wrong", None], ids=["wrong-key", "no-key"])
@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        *((f"{resource}.generate", arguments) for resource, arguments in CREATES.items()),
        ("image_projects.get", {"id": "any"}),
        ("video_projects.delete", {"id": "any"}),
        ("files.upload_file", {"file": str(samples.portrait())}),
    ],
    ids=[*CREATES, "get", "delete", "upload"],
)
def test_without_the_right_key(
    vendor: Vendor, emulator: Emulator, method: str, arguments: dict[str, Any], key: str | None
) -> None:
    error = vendor.with_key(key).error(method, **arguments)

    assert (error["type"], error["status"], error["body"]["code"]) == ("ApiError", 401, "unauthorized")
    assert error["body"]["message"]
    (request,) = emulator.requests
    assert request.authorization == ("wrong" if key else "absent")
    assert emulator.ledger.creates == ()


@pytest.mark.parametrize("kind", ["image", "video"])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_unknown_id(vendor: Vendor, kind: str, method: str) -> None:
    error = vendor.error(f"{kind}_projects.{method}", id="cuid-example")

    assert (error["type"], error["status"], error["body"]["code"]) == ("ApiError", 404, "not_found")


def test_an_image_is_no_video(vendor: Vendor) -> None:
    project = vendor.result("ai_image_generator.generate", **FOX, download_outputs=False)

    assert vendor.error("video_projects.get", id=project["id"])["status"] == 404
    assert vendor.error("video_projects.delete", id=project["id"])["status"] == 404
    assert vendor.result("image_projects.get", id=project["id"])["status"] == "complete"


@pytest.mark.parametrize(
    ("resource", "changed", "named"),
    [
        pytest.param("ai_image_generator", {"image_count": 0}, "image_count", id="no-image"),
        pytest.param("ai_image_generator", {"image_count": 17}, "image_count", id="too-many-images"),
        pytest.param("ai_image_generator", {"style": {"prompt": ""}}, "style.prompt", id="empty-prompt"),
        pytest.param("ai_image_editor", {"assets": {}}, "image_file_paths", id="no-picture"),
        pytest.param("ai_image_editor", {"image_count": 2}, "image_count", id="two-edits"),
        pytest.param("ai_talking_photo", {"end_seconds": 0.0}, "end_seconds", id="no-length"),
        pytest.param("ai_talking_photo", {"start_seconds": 2.0}, "end_seconds", id="end-before-start"),
        pytest.param("ai_talking_photo", {"end_seconds": 301.0}, "end_seconds", id="too-long"),
        pytest.param(
            "ai_talking_photo",
            {"style": {"generation_mode": "prompted"}, "end_seconds": 46.0},
            "end_seconds",
            id="too-long-for-its-mode",
        ),
        pytest.param(
            "ai_talking_photo",
            {"style": {"generation_mode": "expressive", "intensity": 2.5}},
            "style.intensity",
            id="too-intense",
        ),
        pytest.param(
            "ai_headshot_generator",
            {"assets": {"image_file_path": "api-assets/nobody/face.png"}},
            "image_file_path",
            id="never-uploaded",
        ),
    ],
)
def test_an_invalid_request(
    vendor: Vendor, emulator: Emulator, resource: str, changed: dict[str, Any], named: str
) -> None:
    error = vendor.error(f"{resource}.generate", **{**CREATES[resource], **changed})

    assert (error["type"], error["status"], error["body"]["code"]) == ("ApiError", 422, "unprocessable_entity")
    assert named in error["body"]["message"]
    assert emulator.ledger.creates == ()


def test_a_body_that_does_not_say_it_is_json(vendor: Vendor, emulator: Emulator) -> None:
    options = {"additional_headers": {"content-type": "text/plain"}}
    error = vendor.error("ai_image_generator.generate", **FOX, request_options=options)

    assert (error["type"], error["status"], error["body"]["code"]) == ("ApiError", 400, "invalid_request")
    assert emulator.ledger.creates == ()


def test_too_few_credits(connect: Callable[[Emulator], Vendor]) -> None:
    with Emulator(credits=4, seed=0) as emulator:
        error = connect(emulator).error("ai_image_generator.generate", **FOX)

        assert (error["type"], error["status"], error["body"]["code"]) == ("ApiError", 402, "insufficient_credits")
        assert (emulator.ledger.creates, emulator.ledger.balance) == ((), 4)


@pytest.mark.parametrize("resource", CREATES)
def test_a_job_that_fails_is_refunded(vendor: Vendor, emulator: Emulator, resource: str, tmp_path: Path) -> None:
    emulator.fail_next("no_source_face", "There is no face in the picture")

    project = vendor.result(f"{resource}.generate", **CREATES[resource], download_directory=str(tmp_path))

    assert project["status"] == "error"
    assert project["error"] == {"code": "no_source_face", "message": "There is no face in the picture"}
    assert project["credits_charged"] == project["total_frame_cost"] == 0
    assert (project["downloads"], project["downloaded_paths"], list(tmp_path.iterdir())) == ([], None, [])
    (charge,), (refund,) = emulator.ledger.charges, emulator.ledger.refunds
    assert (charge.id, charge.credits) == (refund.id, refund.credits)
    assert charge.credits > 0
    assert emulator.requests.find(origin="storage") == []


def test_bytes_that_are_no_picture(vendor: Vendor, emulator: Emulator, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")

    project = vendor.result("ai_headshot_generator.generate", assets={"image_file_path": str(broken)})

    assert (project["status"], project["error"]["code"]) == ("error", "invalid_file_format")
    assert emulator.ledger.refunded == emulator.ledger.charged == 50
