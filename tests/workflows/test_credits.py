"""Estimates: the same numbers that the emulator, which reads the same contract, charges in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from magic_hour_emulator import Emulator
from magic_hour_workflows import Client, Estimate, estimate_credits

CLIP = {"start_seconds": 1, "end_seconds": 3}
CALLS: list[tuple[str, dict[str, Any], Estimate]] = [
    ("ai_headshot_generator", {}, Estimate(50)),
    ("ai_talking_photo", {"start_seconds": 0, "end_seconds": 1.01}, Estimate(48, 49)),
    (
        "ai_talking_photo",
        {"start_seconds": 1.2, "end_seconds": 2.2},
        Estimate(48),
    ),  # floats differ by a little more
    ("ai_talking_photo", {**CLIP, "style": {"generation_mode": "prompted"}}, Estimate(40, 48)),
    ("ai_talking_photo", {**CLIP, "style": {"generation_mode": "expressive"}}, Estimate(40, 48)),
    ("ai_image_generator", {"image_count": 3}, Estimate(15, None)),
    ("ai_image_generator", {"image_count": 4, "model": "nano-banana-pro"}, Estimate(600, None)),
    ("ai_image_generator", {"image_count": 2, "model": "next-year"}, Estimate(10, None, 300)),
    ("ai_image_editor", {}, Estimate(50, None)),
    ("ai_image_editor", {"model": "krea-2"}, Estimate(10, None)),
    ("ai_image_editor", {"model": "next-year"}, Estimate(5, None, 150)),
    ("ai_image_editor", {"image_count": 4, "model": "qwen-edit"}, Estimate(40, None)),
]
NEEDED: dict[str, dict[str, Any]] = {
    "ai_headshot_generator": {"assets": {"image_file_path": "portrait"}},
    "ai_talking_photo": {"assets": {"image_file_path": "portrait", "audio_file_path": "voice"}},
    "ai_image_generator": {"style": {"prompt": "a"}},
    "ai_image_editor": {"assets": {"image_file_paths": ["portrait"]}, "style": {"prompt": "a"}},
}


@pytest.mark.parametrize(("resource", "parameters", "expected"), CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_estimate_is_what_is_charged(
    resource: str, parameters: dict[str, Any], expected: Estimate, emulator: Emulator, portrait: Path, voice: Path
) -> None:
    files = {"portrait": portrait, "voice": voice}
    needed = NEEDED[resource]
    assets = {
        name: [files[item] for item in value] if isinstance(value, list) else files[value]
        for name, value in needed.get("assets", {}).items()
    }
    call = {**needed, **parameters, **({"assets": assets} if assets else {})}
    assert estimate_credits(resource, **call) == expected
    with Client(token=emulator.token, base_url=emulator.url) as client:
        result = getattr(client.v1, resource).generate(**call, wait_for_completion=False)
    assert result.credits_charged is not None
    assert expected.credits <= result.credits_charged <= (expected.at_most or result.credits_charged)
