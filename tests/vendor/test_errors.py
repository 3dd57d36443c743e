"""What the emulator refuses reaches the user of the vendor's SDK as that SDK's own error, and costs nothing.

Which requests are refused is the subject of the emulator's own tests.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magic_hour_emulator import Emulator, samples
from vendor.session import EXAMPLE, FOX, TALK, Vendor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def refused(vendor: Vendor, method: str, status: int, code: str, **arguments: Any) -> str:
    """The message of what must be refused so."""
    error = vendor.error(method, **arguments)
    assert (error["type"], error["status"], error["body"]["code"]) == ("ApiError", status, code)
    return str(error["body"]["message"])


@pytest.mark.parametrize("key", ["mhk_live_wrong", None], ids=["wrong-key", "no-key"])
@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("ai_image_generator.generate", FOX),
        ("image_projects.get", {"id": "any"}),
        ("video_projects.delete", {"id": "any"}),
        ("files.upload_file", {"file": str(samples.portrait())}),
    ],
    ids=["create", "get", "delete", "upload"],
)
def test_without_the_right_key(
    vendor: Vendor, emulator: Emulator, method: str, arguments: dict[str, Any], key: str | None
) -> None:
    assert refused(vendor.with_key(key), method, 401, "unauthorized", **arguments)
    (request,) = emulator.requests
    assert request.authorization == ("wrong" if key else "absent")
    assert emulator.ledger.creates == ()


def test_an_unknown_id_and_a_project_of_the_other_kind(vendor: Vendor) -> None:
    project = vendor.result("ai_image_generator.generate", **FOX, download_outputs=False)
    for kind, id in (("image", "cuid-example"), ("video", "cuid-example"), ("video", project["id"])):
        for method in ("get", "delete"):
            refused(vendor, f"{kind}_projects.{method}", 404, "not_found", id=id)
    assert vendor.result("image_projects.get", id=project["id"])["status"] == "complete"


@pytest.mark.parametrize(
    ("resource", "arguments", "named"),
    [
        ("ai_image_generator", {**FOX, "image_count": 17}, "image_count"),
        ("ai_talking_photo", {**TALK, "start_seconds": 2.0}, "end_seconds"),
        ("ai_headshot_generator", {"assets": {"image_file_path": "api-assets/nobody/face.png"}}, "image_file_path"),
    ],
    ids=["bound", "condition", "never-uploaded"],
)
def test_an_invalid_request(
    vendor: Vendor, emulator: Emulator, resource: str, arguments: dict[str, Any], named: str
) -> None:
    assert named in refused(vendor, f"{resource}.generate", 422, "unprocessable_entity", **arguments)
    assert emulator.ledger.creates == ()


def test_a_body_that_does_not_say_it_is_json(vendor: Vendor, emulator: Emulator) -> None:
    options = {"additional_headers": {"content-type": "text/plain"}}
    refused(vendor, "ai_image_generator.generate", 400, "invalid_request", **FOX, request_options=options)
    assert emulator.ledger.creates == ()


def test_too_few_credits(connect: Callable[[Emulator], Vendor]) -> None:
    with Emulator(credits=4, seed=0) as emulator:
        refused(connect(emulator), "ai_image_generator.generate", 402, "insufficient_credits", **FOX)
        assert (emulator.ledger.creates, emulator.ledger.balance) == ((), 4)


@pytest.mark.parametrize(
    ("resource", "arguments"), [("ai_headshot_generator", {"assets": EXAMPLE}), ("ai_talking_photo", TALK)]
)
def test_a_job_that_fails_is_refunded(
    vendor: Vendor, emulator: Emulator, resource: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    emulator.fail_next("no_source_face", "There is no face in the picture")
    project = vendor.result(f"{resource}.generate", **arguments, download_directory=str(tmp_path))
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
