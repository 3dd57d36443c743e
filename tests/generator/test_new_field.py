"""A new optional field in the contract reaches everything with one run of the generator and no edit by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio, datetime, inspect, typing
import magic_hour_client
from magic_hour_client import params
from magic_hour_client.api.v1_image_projects import create_ai_image
from magic_hour_client.resources.v1_image_projects import AsyncV1AiImageGenerator, V1AiImageGenerator
from magic_hour_workflows._flows.generate import prepare

class FakeBackend:
    def utc(self):
        return datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)

    def random(self):
        return 0.5

given = {"image_count": 1, "style": {"prompt": "x", "mood": "wild"}, "seed": 3}
for kind in (V1AiImageGenerator, AsyncV1AiImageGenerator):
    assert inspect.signature(kind.create).parameters["seed"].default is None
assert "seed" in params.V1AiImageGeneratorCreateBodyParams.__annotations__
assert "mood" in params.V1AiImageGeneratorCreateBodyStyleParams.__annotations__
call = create_ai_image.request(**given)
assert call.body == given, call.body
call, assets = prepare(FakeBackend(), create_ai_image, given)
assert call.body == {**given, "name": call.body["name"]}, call.body

sent = []
class Recorder:
    def send(self, request, **options):
        sent.append(request.body)
V1AiImageGenerator(Recorder()).create(**given)
class AsyncRecorder:
    async def send(self, operation, **options):
        sent.append(operation.body)
asyncio.run(AsyncV1AiImageGenerator(AsyncRecorder()).create(**given))
assert sent == [given, given], sent
print(magic_hour_client.__file__)
"""


def test_calls_take_and_send_it(run_grown: Any, grown: Path) -> None:
    done = run_grown("-c", PROGRAM)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(grown)), "the test must run against the copy"


def test_command_line_has_flags_for_it(run_grown: Any) -> None:
    command = ("-m", "magic_hour_workflows", "image", "generate")
    shown = run_grown(*command, "--help").stdout
    assert re.search(r"--seed NUMBER +Where chance starts\.", shown), shown
    assert re.search(r"--mood TEXT +How it feels\. Known: calm, wild\.", shown), shown
    given = ("--image-count", "1", "--prompt", "x", "--seed", "3", "--mood", "wild", "--dry-run", "--format", "json")
    done = run_grown(*command, *given)
    body = json.loads(done.stdout)["body"]
    assert (body["seed"], body["style"]["mood"]) == (3, "wild")
    wrong = run_grown(*command, *given, "--seed", "three")
    assert wrong.returncode == 2


def test_reference_page_has_it(grown: Path) -> None:
    page = (grown / "docs" / "reference" / "v1.ai_image_generator.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows[-1] == "| `seed` | ✗ | Where chance starts. | `7` |"
    mood = '| `└─ mood` | ✗ | How it feels. Known: calm, wild. | `"calm"` |'
    assert rows.index(mood) == 3, "after prompt, before quality_mode"
