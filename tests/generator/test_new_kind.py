"""A new kind of job is one file in spec/ and two lines in its root: one run of the generator, no edit by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import typing
from types import SimpleNamespace
import magic_hour_client
from magic_hour_client.api.v1_hologram_projects import print_hologram
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
call = print_hologram.request(**given)
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
result = run_sync(generate(begun, print_hologram, given, options))
assert (result.kind, result.status) == ("hologram", "complete"), result
assert sent == ["/v1/hologram-maker", "/v1/hologram-projects/job-1"], sent
print(magic_hour_client.__file__)
"""


@pytest.mark.slow
def test_jobs_are_waited_for_at_their_own_projects(run_grown: Any, grown: Path) -> None:
    done = run_grown("-c", PROGRAM)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(grown)), "the test must run against the copy"


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
