"""A new kind of job in the contract is waited for at its own projects: one run of the generator, no edit by hand."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from programs import python

CREATE, GET = "/v1/ai-voice-generator", "/v1/audio-projects/{id}"

PROGRAM = """
import typing
from types import SimpleNamespace
import magic_hour_client
from magic_hour_client.api.v1_ai_voice_generator import create_voice
from magic_hour_client.types import Placeholder
from magic_hour_workflows._flows.generate import OutputOptions, generate
from magic_hour_workflows._flows.submit import kind_of
from magic_hour_workflows._flows.call import Call
from magic_hour_workflows._backend import run_sync
from magic_hour_client.endpoints import project_endpoint
from magic_hour_workflows._operations import paid
from magic_hour_workflows._outputs import output_names
from magic_hour_workflows._results import Kind

assert typing.get_args(Kind) == ("image", "video", "audio"), Kind
call = create_voice.request(style={"prompt": "Hello"})
assert kind_of(call) == "audio"
assert project_endpoint("audio").request("job-1").path == "/v1/audio-projects/job-1"
assert paid()["v1.ai_voice_generator.create"]["project_kind"] == "audio"

import datetime
sent = []

class World:
    clock = 0.0
    def now(self): return self.clock
    def utc(self): return datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    def random(self): return 0.5
    async def sleep(self, seconds): self.clock += seconds
    async def run_in_thread(self, function, **options): return function()
    async def send(self, operation, *rest, **options):
        sent.append(operation.path)
        error = None
        return SimpleNamespace(id="job-1", credits_charged=3, status="complete", downloads=[], error=None)

begun = Call(World(), 60.0)
options = OutputOptions(download_outputs=False)
result = run_sync(generate(begun, create_voice.ENDPOINT, {"style": {"prompt": "Hello"}}, options))
assert (result.kind, result.status) == ("audio", "complete"), result
assert sent == ["/v1/ai-voice-generator", "/v1/audio-projects/job-1"], sent
print(magic_hour_client.__file__)
"""


def with_audio(spec: dict[str, Any], *, get: bool) -> None:
    """Add an operation whose jobs are sound, as the service documents one, and where to ask for them."""
    paths = spec["paths"]
    image = paths["/v1/ai-headshot-generator"]["post"]
    body = {
        "type": "object",
        "required": ["style"],
        "properties": {
            "name": {"type": "string"},
            "style": {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]},
        },
    }
    media = {
        **image["requestBody"]["content"]["application/json"],
        "schema": body,
        "example": {"style": {"prompt": "Hi"}},
    }
    paths[CREATE] = {
        "post": {**image, "operationId": "create_voice", "tags": ["v1.ai_voice_generator"], "x-project-kind": "audio",
         "requestBody": {"content": {"application/json": media}}}
    }  # fmt: skip
    if get:
        project = paths["/v1/image-projects/{id}"]
        asking = {**project["get"], "operationId": "get_audio_project", "tags": ["v1.audio_projects"]}
        paths[GET] = {"parameters": project["parameters"], "get": asking}


@pytest.fixture
def spec(copied_with_workflows: Path) -> Path:
    return copied_with_workflows / "spec" / "magic-hour.openapi.yaml"


def generated(spec: Path, *, get: bool) -> subprocess.CompletedProcess[str]:
    """One run of the generator on the contract with the operation in it, in a copy of the project."""
    text = spec.read_text(encoding="utf-8")
    document = YAML(typ="safe").load(text)
    with_audio(document, get=get)
    with spec.open("w", encoding="utf-8") as file:
        YAML().dump(document, file)
    script = spec.parents[1] / "scripts" / "generate.py"
    try:
        return python(script)
    finally:
        spec.write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_jobs_are_waited_for_at_their_own_projects(spec: Path) -> None:
    done = generated(spec, get=True)
    assert done.returncode == 0, done.stderr
    project = spec.parents[1]
    path = f"{project / 'generated'}{os.pathsep}{project / 'workflows'}"
    done = python("-c", PROGRAM, variables={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(project)), "the test must run against the copy"


def test_a_kind_without_its_get_stops_the_generator(
    document: dict[str, Any], run_generator: Any, tmp_path: Path
) -> None:
    document["paths"]["/things"]["post"]["x-project-kind"] = "audio"
    ran = run_generator(document)
    assert ran.code == 5
    assert "POST /things makes projects of the kind 'audio', but the document has no GET for them" in ran.error
    assert not (tmp_path / "out").exists()
    document["paths"]["/v9/audio-projects/{id}"] = document["paths"].pop("/things/{id}")
    assert run_generator(document).code == 0


@pytest.mark.parametrize("kind", ["", 'audio"\n); import os #', "../etc", "{", "a\ud7ffb\u202e"])
def test_a_kind_that_is_no_name_stops_it_too(kind: str, document: dict[str, Any], run_generator: Any) -> None:
    document["paths"]["/things"]["post"]["x-project-kind"] = kind
    ran = run_generator(document)
    assert ran.code == 5
    assert ran.error.isascii()
