"""What mutation testing found nobody watching before a call is sent: what is refused here, and what it will cost."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from magic_hour_client.api.v1_ai_image_generator import create_ai_image
from magic_hour_client.models import V1AiTalkingPhotoCreateBodyStyle
from magic_hour_workflows import Estimate, InvalidArgument, estimate_credits
from magic_hour_workflows._checks import check
from magic_hour_workflows._credits import estimate

TALKING, EDIT, IMAGE = (f"v1.ai_{name}.create" for name in ("talking_photo", "image_editor", "image_generator"))


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (TALKING, {"start_seconds": 0, "end_seconds": 300}),
        (TALKING, {"start_seconds": 200, "end_seconds": 400}),
        (TALKING, {"start_seconds": 1}),
        (TALKING, {"end_seconds": 1}),
        (EDIT, {"assets": {"image_file_path": "image/a.png"}, "style": {"prompt": " "}}),
        (EDIT, {"assets": {"image_file_paths": ["image/a.png"]}, "style": "x"}),
        (IMAGE, {"image_count": 1, "style": {}}),
        (IMAGE, {"image_count": 100}),
        ("v1.of_tomorrow.create", {"image_count": 0}),
    ],
)
def test_what_may_be_accepted_is_the_services_to_judge(operation: str, body: dict[str, Any]) -> None:
    check(operation, body)


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("ai_headshot_generator", {}, Estimate(50, False)),
        ("ai_talking_photo", {"end_seconds": 2}, Estimate(96, False)),
        ("ai_talking_photo", {"start_seconds": 1, "end_seconds": 2.01}, Estimate(49, False)),
        ("ai_talking_photo", {"start_seconds": 2, "end_seconds": 1}, Estimate(0, False)),
        ("ai_talking_photo", {"end_seconds": 1, "style": {"generation_mode": "prompted"}}, Estimate(20, True, 24)),
        ("ai_talking_photo", {"end_seconds": 1, "style": {"generation_mode": "realistic"}}, Estimate(48, False)),
        ("ai_talking_photo", {"end_seconds": 1, "style": {"generation_mode": "of tomorrow"}}, Estimate(20, True, 48)),
        (TALKING, {"end_seconds": 1, "style": V1AiTalkingPhotoCreateBodyStyle(generation_mode="prompted")},
         Estimate(20, True, 24)),
        ("ai_talking_photo", {"start_seconds": 1.2, "end_seconds": 2.2}, Estimate(48, False)),  # not 1.0000000000000002
        ("ai_image_editor", {"model": "krea-2"}, Estimate(10, True)),
        ("ai_image_editor", {"model": "default"}, Estimate(50, True)),
        ("ai_image_editor", {"model": "qwen-image-2.1"}, Estimate(5, True, 150)),
        ("ai_image_editor", {"model": "of tomorrow", "image_count": 4}, Estimate(20, True, 600)),
        ("ai_image_generator", {"image_count": 1, "model": "gpt-image-2.5-flare"}, Estimate(100, True)),
        ("ai_image_generator", {"image_count": 1, "extra_body": {"image_count": 99}}, Estimate(495, True)),
        ("ai_image_generator", {"image_count": 1, "extra_body": {"image_count": -9}}, Estimate(0, True)),
        ("ai_headshot_generator", {"assets": {"image_file_path": b""}, "download_directory": "."}, Estimate(50, False)),
        ("ai_image_generator", {"image_count": 3, "model": "nano-banana"}, Estimate(150, True)),
        ("ai_image_editor", {}, Estimate(50, True)),
    ],
)  # fmt: skip
def test_estimates(operation: str, parameters: dict[str, Any], expected: Estimate) -> None:
    assert estimate_credits(operation, **parameters) == expected


def test_a_price_alone_is_an_estimate() -> None:
    endpoint = attrs.evolve(create_ai_image.ENDPOINT, prices={"price": 2.5})
    assert estimate(endpoint, {}) == Estimate(3, False)


def test_the_words_of_an_estimate() -> None:
    assert [str(Estimate(5, False)), str(Estimate(5, True))] == ["5 credits", "at least 5 credits"]


@pytest.mark.parametrize(
    ("operation", "parameters", "message", "field"),
    [
        ("x", {}, "`operation`: no price is known for x; only for ai_headshot_generator, ai_talking_photo,"
                  " ai_image_generator, ai_image_editor", "operation"),
        ("ai-image-edtor", {}, "`operation`: no price is known for ai-image-edtor; did you mean ai_image_editor?",
         "operation"),
        ("ai_talking_photo", {"start_seconds": 0},
         "`end_seconds`: expected a number, to estimate the credits", "end_seconds"),
        ("ai_talking_photo", {"end_seconds": "3"}, "`end_seconds`: expected a number, got str", "end_seconds"),
        ("ai_talking_photo", {"start_seconds": -1, "end_seconds": 3}, "`start_seconds`: must be at least 0, got -1",
         "start_seconds"),
        ("ai_talking_photo", {"end_seconds": 1e308},
         "`end_seconds`: too large to estimate the credits; give a smaller number", "end_seconds"),
        ("ai_talking_photo", {"end_seconds": 10**5000},
         "`end_seconds`: too large to be sent; give a smaller number", "end_seconds"),
        ("ai_talking_photo", {"end_seconds": 9e8},
         "`end_seconds`: too large to estimate the credits; give a smaller number", "end_seconds"),
        ("ai_image_generator", {"image_count": 1, "extra_body": {"image_count": 10**30}},
         "`image_count`: too large to estimate the credits; give a smaller number", "image_count"),
        ("ai_image_generator", {"image_count": float("inf")},
         "`image_count`: expected an integer, got float inf", "image_count"),
        ("ai_image_generator", {"image_count": True},
         "`image_count`: expected an integer, got bool True", "image_count"),
        ("ai_image_generator", {"image_count": 99}, "`image_count`: must be from 1 to 16, got 99", "image_count"),
        ("ai_image_editor", {"image_count": 99}, "`image_count`: must be from 1 to 16, got 99", "image_count"),
        ("ai_image_editor", {"style": {"prompt": "x" * 15_001}},
         "`style.prompt`: must have 1 to 15,000 characters, got 15,001", "style.prompt"),
        ("ai_image_generator", {"image_cuont": 4},
         "`image_cuont`: not a field of the contract; did you mean `image_count`?"
         " `extra_body` sends fields that the contract lacks", "image_cuont"),
    ],
)  # fmt: skip
def test_what_cannot_be_estimated_is_told(operation: str, parameters: Any, message: str, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        estimate_credits(operation, **parameters)
    assert (str(caught.value), caught.value.field) == (message, field)
