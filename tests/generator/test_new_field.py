"""A new optional field in the contract reaches everything with one run of the generator and no edit by hand."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from programs import python

pytestmark = pytest.mark.slow

BODY = """    V1AiImageGeneratorCreateBody:
      type: object
      required: [image_count, style]
      properties:
"""
STYLE = """    V1AiImageGeneratorCreateBodyStyle:
      type: object
      required: [prompt]
      properties:
"""
TOP = "        seed: {type: integer, description: Where chance starts., example: 7}\n"
NESTED = "        mood: {type: string, enum: [calm, wild], description: How it feels.}\n"

PROGRAM = """
import asyncio, datetime, inspect, typing
import magic_hour_client
from magic_hour_client import params
from magic_hour_client.api.v1_ai_image_generator import create_ai_image
from magic_hour_client.resources.v1_ai_image_generator import AsyncV1AiImageGenerator, V1AiImageGenerator
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

TYPED = """\
from magic_hour_workflows import AsyncClient, Client


async def main(client: Client, async_client: AsyncClient) -> None:
    client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x"}, seed=3)
    client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x", "mood": "calm"}, seed=3)
    await async_client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x", "mood": "calm"}, seed=3)
    await async_client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x"}, seed=3)
    client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x"}, seed="x")  # wrong
    client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x"}, seed="x")  # wrong
    client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x", "moood": "calm"})  # wrong
    await async_client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "x"}, seed="x")  # wrong
    await async_client.v1.ai_image_generator.create(image_count=1, style={"prompt": "x"}, sed=3)  # wrong
"""


@pytest.fixture(scope="module")
def changed(copied_with_workflows: Path) -> Path:
    """A copy of the project whose contract has two more fields, regenerated."""
    spec = copied_with_workflows / "spec" / "ai-image-generator.yaml"
    text = spec.read_text(encoding="utf-8")
    for place, field in ((BODY, TOP), (STYLE, NESTED)):
        assert text.count(place) == 1, "the contract no longer begins these two objects like that; change the test"
        text = text.replace(place, place + field)
    spec.write_text(text, encoding="utf-8")
    done = python(copied_with_workflows / "scripts" / "generate.py")
    assert done.returncode == 0, done.stderr
    return copied_with_workflows


def environment(changed: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{changed / 'generated'}{os.pathsep}{changed / 'workflows'}"}


def test_calls_take_and_send_it(changed: Path) -> None:
    done = python("-c", PROGRAM, variables=environment(changed))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(changed)), "the test must run against the copy"


def test_command_line_has_flags_for_it(changed: Path) -> None:
    command = ("-m", "magic_hour_workflows", "image", "generate")
    shown = python(*command, "--help", variables=environment(changed)).stdout
    assert re.search(r"--seed NUMBER +Where chance starts\.", shown), shown
    assert re.search(r"--mood TEXT +How it feels\. Known: calm, wild\.", shown), shown
    given = ("--image-count", "1", "--prompt", "x", "--seed", "3", "--mood", "wild", "--dry-run", "--format", "json")
    done = python(*command, *given, variables=environment(changed))
    body = json.loads(done.stdout)["body"]
    assert (body["seed"], body["style"]["mood"]) == (3, "wild")
    wrong = python(*command, *given, "--seed", "three", variables=environment(changed))
    assert wrong.returncode == 2


def test_type_checker_knows_it(changed: Path) -> None:
    program = changed / "program.py"
    program.write_text(TYPED, encoding="utf-8")
    paths = f"{changed / 'generated'}:{changed / 'workflows'}"
    command = ("-m", "mypy", "--strict", "--explicit-package-bases", "--config-file", os.devnull, program)
    done = python(*command, cwd=changed, variables={"MYPYPATH": paths})
    # Errors elsewhere are for `make types` to find.
    errors = [line for line in done.stdout.splitlines() if line.startswith("program.py:") and " error: " in line]
    wrong = {number for number, line in enumerate(TYPED.splitlines(), 1) if "# wrong" in line}
    assert {int(error.partition(".py:")[2].split(":")[0]) for error in errors} == wrong, done.stdout


def test_reference_page_has_it(changed: Path) -> None:
    page = (changed / "docs" / "reference" / "v1.ai_image_generator.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows[-1] == "| `seed` | ✗ | Where chance starts. | `7` |"
    assert '| `└─ mood` | ✗ | How it feels. | `"calm"` |' in rows
    assert rows.index('| `└─ mood` | ✗ | How it feels. | `"calm"` |') == 3, "after prompt, before quality_mode"
