"""What mutation testing found nobody watching before a call is sent: what is refused here, and what it will cost."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from magic_hour_client.api.v1_image_projects import create_ai_image
from magic_hour_client.endpoints import endpoint
from magic_hour_client.models import V1AiTalkingPhotoCreateBodyStyle
from magic_hour_workflows import Estimate, InvalidArgument, estimate_credits
from magic_hour_workflows._credits import estimate
from magic_hour_workflows._operations import paid

TALKING, EDIT, IMAGE = (f"v1.ai_{name}.create" for name in ("talking_photo", "image_editor", "image_generator"))


FACE = {"image_file_path": "image/a.png"}
CLIP = {"assets": {**FACE, "audio_file_path": "audio/a.mp3"}}


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        (TALKING, {**CLIP, "start_seconds": 2, "end_seconds": 2},
         "`end_seconds`: 2 is not after `start_seconds` 2; give a larger number"),
        (TALKING, {**CLIP, "start_seconds": 1, "end_seconds": 301.5},
         "`end_seconds`: must be at most 300 after `start_seconds`, got 300.5; ask for less"),
        (EDIT, {"assets": {}, "style": {"prompt": "a"}},
         "`assets.image_file_paths`: required, but missing; give at least one"),
    ],
)  # fmt: skip
def test_what_can_never_be_accepted_is_told(operation: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        endpoint(operation).request(**body)
    assert str(caught.value) == message
    assert caught.value.field == message.split("`")[1]


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (TALKING, {**CLIP, "start_seconds": 0, "end_seconds": 300}),
        (TALKING, {**CLIP, "start_seconds": 200, "end_seconds": 400}),
        (EDIT, {"assets": {"image_file_paths": ["image/a.png"]}, "style": {"prompt": "a"}}),
        (EDIT, {"assets": {}, "style": {"prompt": "a"}, "extra_body": {"assets": FACE}}),
        (IMAGE, {"image_count": 1, "style": {"prompt": "a"}, "extra_body": {"image_count": 100}}),
    ],
)
def test_what_may_be_accepted_is_the_services_to_judge(operation: str, body: dict[str, Any]) -> None:
    assert endpoint(operation).request(**body).body


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("ai_headshot_generator", {}, Estimate(50)),
        ("ai_talking_photo", {"end_seconds": 2}, Estimate(96)),
        ("ai_talking_photo", {"start_seconds": 1, "end_seconds": 2.01}, Estimate(48, 49)),
        ("ai_talking_photo", {"start_seconds": 2, "end_seconds": 1}, Estimate(0)),
        ("ai_talking_photo", {"end_seconds": 1, "style": {"generation_mode": "prompted"}}, Estimate(20, 24)),
        ("ai_talking_photo", {"end_seconds": 1, "style": {"generation_mode": "realistic"}}, Estimate(48)),
        ("ai_talking_photo", {"end_seconds": 1, "style": {"generation_mode": "of tomorrow"}}, Estimate(20, None, 48)),
        (TALKING, {"end_seconds": 1, "style": V1AiTalkingPhotoCreateBodyStyle(generation_mode="prompted")},
         Estimate(20, 24)),
        ("ai_talking_photo", {"start_seconds": 1.2, "end_seconds": 2.2}, Estimate(48)),  # not 1.0000000000000002
        ("ai_image_editor", {"model": "krea-2"}, Estimate(10, None)),
        ("ai_image_editor", {"model": "default"}, Estimate(50, None)),
        ("ai_image_editor", {"model": "qwen-image-2.1"}, Estimate(5, None, 150)),
        ("ai_image_editor", {"model": "of tomorrow", "image_count": 4}, Estimate(20, None, 600)),
        ("ai_image_generator", {"image_count": 1, "model": "gpt-image-2.5-flare"}, Estimate(100, None)),
        ("ai_image_generator", {"image_count": 1, "extra_body": {"image_count": 99}}, Estimate(495, None)),
        ("ai_image_generator", {"image_count": 1, "extra_body": {"image_count": -9}}, Estimate(0, None)),
        ("ai_headshot_generator", {"assets": {"image_file_path": b""}, "download_directory": "."}, Estimate(50)),
        ("ai_image_generator", {"image_count": 3, "model": "nano-banana"}, Estimate(150, None)),
        ("ai_image_editor", {}, Estimate(50, None)),
    ],
)  # fmt: skip
def test_estimates(operation: str, parameters: dict[str, Any], expected: Estimate) -> None:
    assert estimate_credits(operation, **parameters) == expected


SECONDS = {"from": "start", "to": "style.end"}


@pytest.mark.parametrize(
    ("table", "parameters", "expected"),
    [
        ({"prices": [{"price": 2.5}]}, {}, Estimate(2, 3)),
        ({"prices": [{"price": 2.5}], "round": "up"}, {}, Estimate(3)),
        ({"prices": [{"price": 0}]}, {}, Estimate(0)),
        ({}, {"anything": 1}, Estimate(0, None, None)),
        ({"prices": [{"price": 20, "up_to": 24}]}, {}, Estimate(20, 24)),
        ({"prices": [{"price": 20, "at_least": True}]}, {}, Estimate(20, None)),
        ({"prices": [{"price": 3}], "quantity": SECONDS}, {"style": {"end": 4}}, Estimate(12)),
        ({"prices": [{"price": 3}], "quantity": SECONDS}, {"start": 3.9, "style": {"end": 4.9}}, Estimate(3)),
        ({"prices": [{"price": 3}], "quantity": SECONDS, "default": {"style.end": 2}}, {}, Estimate(6)),
        ({"prices": [{"price": 3}], "quantity": {"count": "files"}}, {"files": ["a", "b"]}, Estimate(6)),
        ({"prices": [{"price": 3}], "quantity": {"count": "files"}}, {}, Estimate(3)),
        ({"prices": [{"price": 0.1}], "quantity": {"characters": "t"}, "round": "up"}, {"t": "x" * 21}, Estimate(3)),
        ({"prices": [{"price": 0.1}], "quantity": {"characters": "text"}}, {"text": "x" * 21}, Estimate(2, 3)),
        ({"prices": [{"price": 0.1}], "quantity": {"characters": "text"}}, {}, Estimate(0)),
        ({"prices": [{"price": 1}], "quantity": {"product": ["fps", "end"]}}, {"fps": 12, "end": 2.5}, Estimate(30)),
    ],
)  # fmt: skip
def test_quantities_and_prices(table: dict[str, Any], parameters: dict[str, Any], expected: Estimate) -> None:
    assert estimate(attrs.evolve(create_ai_image, prices=table), parameters) == expected


ROWS = [
    {"model": "a", "audio": True, "price": 72},
    {"model": "a", "audio": False, "price": 48},
    {"model": ["b", "c"], "resolution": "480p", "price": 24},
    {"model": ["b", "c"], "resolution": "720p", "price": 96, "at_least": True},
]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"model": "a", "audio": True}, Estimate(72)),
        ({"model": "a"}, Estimate(48, 72)),  # what stays open gives a range
        ({"model": "a", "resolution": "4k"}, Estimate(48, 72)),  # nothing in these rows contradicts it
        ({"model": "a", "audio": 1}, Estimate(24, None, 96)),  # true is not 1: no row fits
        ({"model": "b", "audio": True, "resolution": "480p"}, Estimate(24)),
        ({"model": "c"}, Estimate(24, None, 96)),
        ({"model": "of tomorrow"}, Estimate(24, None, 96)),
        ({"model": "b", "resolution": "8k"}, Estimate(24, None, 96)),
        ({}, Estimate(24)),  # by default, model b in 480p
    ],
)
def test_a_row_counts_unless_a_given_field_contradicts_it(parameters: dict[str, Any], expected: Estimate) -> None:
    table = {"prices": ROWS, "default": {} if parameters else {"model": "b", "resolution": "480p"}}
    assert estimate(attrs.evolve(create_ai_image, prices=table), parameters) == expected


def test_the_words_of_an_estimate() -> None:
    words = [str(each) for each in (Estimate(5), Estimate(5000, 6000), Estimate(5, None), Estimate(0, None, None))]
    assert words[:3] == ["5 credits", "5,000 to 6,000 credits", "at least 5 credits"]
    assert words[3] == "an unknown number of credits: the price is not documented"
    assert [Estimate(5).at_least, Estimate(5, 6).at_least, Estimate(5, None).at_least] == [False, False, True]


@pytest.mark.parametrize(
    ("operation", "parameters", "message", "field"),
    [
        ("x", {}, f"`operation`: x is no operation that costs credits; give one of the {len(paid())} that do, such as"
                  " ai_headshot_generator", "operation"),
        ("ai-image-edtor", {},
         "`operation`: ai-image-edtor is no operation that costs credits; did you mean ai_image_editor?", "operation"),
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
