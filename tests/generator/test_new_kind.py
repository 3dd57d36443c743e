"""A new kind of job is one file in spec/ and two lines in its root: one run of the generator, no edit by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from programs import python

PROGRAM = """
import typing
from types import SimpleNamespace
import magic_hour_client
from magic_hour_client.api.v1_hologram_maker import create_hologram
from magic_hour_client.types import Placeholder
from magic_hour_workflows._flows.generate import OutputOptions, generate
from magic_hour_workflows._flows.submit import kind_of
from magic_hour_workflows._flows.call import Call
from magic_hour_workflows._backend import run_sync
from magic_hour_client.endpoints import project_endpoint
from magic_hour_workflows._operations import paid
from magic_hour_workflows._outputs import output_names
from magic_hour_client.types import ProjectKind as Kind

assert typing.get_args(Kind) == ("image", "video", "audio", "hologram"), Kind
given = {"views": [{"image_file_path": "https://example.com/front.png"}], "depth": "deep", "layers": 3}
call = create_hologram.request(**given)
assert kind_of(call) == "hologram"
assert project_endpoint("hologram").request("job-1").path == "/v1/hologram-projects/job-1"
assert paid()["v1.hologram_maker.create"]["project_kind"] == "hologram"

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
result = run_sync(generate(begun, create_hologram, given, options))
assert (result.kind, result.status) == ("hologram", "complete"), result
assert sent == ["/v1/hologram-maker", "/v1/hologram-projects/job-1"], sent
print(magic_hour_client.__file__)
"""


ROWS = """
paths:
  /v1/hologram-maker:
    post:
      operationId: create_hologram
      tags: [v1.hologram_maker]
      summary: Holograms
      description: Create a hologram from views of a thing.
      x-charges-credits: true
      x-project-kind: hologram
      x-command: {group: hologram, name: make}
      x-credits:
        unit: layer
        quantity: {count: layers}
        prices: [{depth: flat, price: 2}, {depth: deep, price: 4}]
      x-median-seconds: 10
      x-emulator: {type: HOLOGRAM, media: image/png}
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/V1HologramMakerCreateBody"}
            example: {views: [{image_file_path: api-assets/id/1234.png}], depth: flat}
      responses:
        "200":
          description: The hologram job was accepted and charged.
          content:
            application/json:
              schema: {$ref: "shared.yaml#/components/schemas/NewAudioProject"}
              example: {credits_charged: 2, id: cuid-example}
        default: {$ref: "shared.yaml#/components/responses/ServerError"}
  /v1/hologram-projects/{id}:
    parameters:
      - {$ref: "shared.yaml#/components/parameters/ProjectId"}
    get:
      operationId: get_hologram_project
      tags: [v1.hologram_projects]
      summary: Get hologram details
      description: Get the state of a hologram job.
      responses:
        "200":
          description: The current state of the hologram job.
          content:
            application/json:
              schema: {$ref: "projects.yaml#/components/schemas/V1AudioProjectsGetResponse"}
        default: {$ref: "shared.yaml#/components/responses/ServerError"}
components:
  schemas:
    V1HologramMakerCreateBody:
      type: object
      required: [views]
      allOf:
        - if: {properties: {depth: {const: deep}}, required: [depth]}
          then: {required: [layers]}
      properties:
        views:
          type: array
          minItems: 1
          description: The thing from several sides.
          items: {$ref: "#/components/schemas/V1HologramMakerCreateBodyViewsItem"}
        depth: {type: string, enum: [flat, deep], description: "Whether it has `layers`."}
        layers: {type: integer, minimum: 1, description: "How many layers, with `depth: deep`."}
    V1HologramMakerCreateBodyViewsItem:
      type: object
      required: [image_file_path]
      properties:
        image_file_path: {type: string, x-asset: image, description: One view.}
"""
PATHS = """
  /v1/hologram-maker: {$ref: "hologram-maker.yaml#/paths/~1v1~1hologram-maker"}
  "/v1/hologram-projects/{id}": {$ref: "hologram-maker.yaml#/paths/~1v1~1hologram-projects~1{id}"}

webhooks:
"""


@pytest.fixture
def project(copied_with_workflows: Path) -> Iterator[Path]:
    """A copy of the project with these rows in its contract."""
    root, rows = (copied_with_workflows / "spec" / name for name in ("magic-hour.openapi.yaml", "hologram-maker.yaml"))
    text = root.read_text(encoding="utf-8")
    root.write_text(text.replace("\n\nwebhooks:\n", PATHS), encoding="utf-8")
    rows.write_text(ROWS, encoding="utf-8")
    yield copied_with_workflows
    root.write_text(text, encoding="utf-8")
    rows.unlink()


@pytest.mark.slow
def test_jobs_are_waited_for_at_their_own_projects(project: Path) -> None:
    done = python(project / "scripts" / "generate.py")
    assert done.returncode == 0, done.stderr
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
