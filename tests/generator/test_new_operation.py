"""An operation that is added as rows works everywhere: files in lists, prices, conditions; no edit by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from media import media_type

pytestmark = pytest.mark.slow

START = """
import json, pathlib, sys
import httpx
from magic_hour_workflows import Client, InvalidArgument, estimate_credits

here = pathlib.Path(sys.argv[1])
sent, uploads, puts = [], [], []

def answer(request):
    if request.method == "PUT":
        puts.append(request.url.path)
        return httpx.Response(200)
    if request.url.path == "/v1/files/upload-urls":
        items = json.loads(request.content)["items"]
        uploads.extend((item["type"], item["extension"]) for item in items)
        return httpx.Response(200, json={"items": [
            {"upload_url": f"https://storage.example/{n}", "file_path": f"api-assets/{n}.{item['extension']}"}
            for n, item in enumerate(items)
        ]})
    if request.method == "POST":
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={"id": "job-1", "credits_charged": 7})
    return httpx.Response(200, json={"id": "job-1", "status": "complete", "downloads": [], "credits_charged": 7})

client = Client("key", base_url="https://api.example", http_client=httpx.Client(transport=httpx.MockTransport(answer)))
hologram = client.v1.hologram

def told(work):
    try:
        return str(work())
    except InvalidArgument as error:
        return str(error)
"""


EMULATED = """
import asyncio, json, pathlib, sys
from magic_hour_emulator import Emulator, samples
from magic_hour_workflows import AsyncClient, Client, estimate_credits
from magic_hour_workflows.batch import Batch

here, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
contract = here / "emulator" / "magic_hour_emulator" / "spec" / "contract.json"
faces = [{"original_face": "api-assets/id/f.png", "new_face": str(samples.portrait())}]
given = {"assets": {"video_file_path": str(samples.clip()), "faces": faces}, "end_seconds": 1, "mode": "deep"}
found = {}

async def generated(options):
    async with AsyncClient(**options) as client:
        return await client.v1.hologram.generate(**given, download_directory=out / "async")

with Emulator(spec=contract, speed=50) as emulator:
    options = {"token": emulator.token, "base_url": emulator.url, "poll_interval": 0.02}
    with Client(**options) as client:
        clip = client.v1.files.upload_file(samples.clip())
        made = client.v1.hologram.create(**given | {"assets": {"video_file_path": clip, "source": "file"}})
        waited = client.v1.hologram_projects.wait(made.id)
        results = [client.v1.hologram.generate(**given, download_directory=out), asyncio.run(generated(options))]
        results.append(client.v1.hologram.generate(**{**given, "mode": "flat"}, download_directory=out))
    rows = [("a", "hologram", given), ("b", "hologram", {**given, "mode": "flat"})]
    batch = Batch(rows, output=out / "batch", database=out / "b.db", **options)
    found["rows"] = {row.key: [row.status, row.kind, [path.suffix for path in row.paths]] for row in batch.run()}
    found["waited"] = [waited.status, waited.type]
    found["results"] = [[each.status, each.kind, [str(path) for path in each.downloaded_paths]] for each in results]
    found["charges"] = [charge.credits for charge in emulator.ledger.charges]
    found["inputs"] = [sorted(source.role for source in job.inputs) for job in emulator.jobs]
    found["estimate"] = str(estimate_credits("hologram", **given))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files to send."""
    folder = tmp_path_factory.mktemp("files")
    for name, content in (("loop.gif", b"GIF89a"), ("me.png", b"\x89PNG"), ("me.txt", b"words")):
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def told(run_grown: Any, here: Path) -> Callable[[str], Any]:
    """What a program prints as JSON, run against the copy."""

    def run(program: str) -> Any:
        done = run_grown("-c", START + program, here)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_files_in_lists_are_uploaded_once_and_what_follows_is_sent(told: Callable[[str], Any]) -> None:
    body, uploads, puts = told("""
faces = [{"original_face": "api-assets/f.png", "new_face": here / "me.png"},
         {"original_face": "api-assets/g.png", "new_face": str(here / "me.png")}]
hologram.generate(name="x", assets={"video_file_path": here / "loop.gif", "faces": faces}, end_seconds=2,
                  download_outputs=False)
print(json.dumps([sent[0], uploads, puts]))
""")
    assert uploads == [["video", "gif"], ["image", "png"]]
    assert len(puts) == 2
    assert body["assets"] == {
        "video_file_path": "api-assets/0.gif",
        "source": "file",
        "faces": [
            {"original_face": "api-assets/f.png", "new_face": "api-assets/1.png"},
            {"original_face": "api-assets/g.png", "new_face": "api-assets/1.png"},
        ],
    }


def test_a_mistake_is_refused_before_anything_is_sent(told: Callable[[str], Any]) -> None:
    messages, requests = told("""
video = {"video_file_path": here / "loop.gif"}
messages = [
    told(lambda: hologram.generate(assets={**video, "faces": [{"original_face": "f", "new_face": 5}]}, end_seconds=1)),
    told(lambda: hologram.generate(assets={"video_file_path": here / "me.txt"}, end_seconds=1)),
    told(lambda: hologram.generate(assets={"source": "youtube"}, end_seconds=1)),
    told(lambda: hologram.create(assets={"source": "youtube"}, end_seconds=1)),
    told(lambda: hologram.create(assets={}, end_seconds=1)),
    told(lambda: hologram.generate(assets=video, start_seconds=2, end_seconds=1)),
]
print(json.dumps([messages, sent + uploads + puts]))
""")
    youtube = "`assets.youtube_url`: needed when `assets.source` is youtube; give it, or change `assets.source`"
    assert messages[0].startswith("`assets.faces[0].new_face`: ")
    assert "5" in messages[0] or "int" in messages[0]
    assert messages[1].startswith("`assets.video_file_path`: expected a video or a GIF, but me.txt ends in .txt")
    assert messages[2:] == [
        youtube,
        youtube,
        "`assets.source`: required, but missing; give `assets.video_file_path` or `assets.youtube_url`",
        "`end_seconds`: 1 is not after `start_seconds` 2; give a larger number",
    ]
    assert requests == []


def test_estimates(told: Callable[[str], Any]) -> None:
    assert told("""
calls = ({}, {"mode": "flat"}, {"mode": "deep"}, {"mode": "x"})
print(json.dumps([str(estimate_credits("hologram", end_seconds=2, **each)) for each in calls]))
""") == ["4 to 8 credits", "4 credits", "6 to 8 credits", "at least 4 credits"]


def test_the_plan_of_a_batch(told: Callable[[str], Any]) -> None:
    plan, mistakes = told("""
from magic_hour_workflows.batch import Batch
from magic_hour_workflows.errors import ManifestError
face = {"original_face": "api-assets/f.png", "new_face": str(here / "me.png")}
def row(key, **assets):
    return {"key": key, "endpoint": "hologram", "end_seconds": 2, "assets": assets}
batch = Batch([row("a", video_file_path=str(here / "loop.gif"), faces=[face]), row("b", youtube_url="u", faces=[face])],
              output=here / "out", database=here / "b.db", token="key")
plan = batch.plan
wrong = [row("a", source="youtube"), row("b", youtube_url="u", faces=[{**face, "new_face": "no.png"}]), row("c")]
try:
    Batch(wrong, output=here / "out", database=here / "b.db", token="key").plan
except ManifestError as error:
    print(json.dumps([[plan.credits, plan.at_most, plan.uploads], [str(each.field) for each in error.mistakes]]))
""")
    assert plan == [8, 16, 2]
    assert mistakes == ["assets.youtube_url", "assets.faces[0].new_face", "assets.source"]


def test_the_command_line(run_grown: Any, here: Path) -> None:
    face = f"original_face=api-assets/f.png,new_face={here / 'me.png'}"

    def run(*arguments: str) -> Any:
        return run_grown("-m", "magic_hour_workflows", "hologram", "make", "--end-seconds", "2", *arguments)

    done = run("--video", str(here / "loop.gif"), "--face", face, "--dry-run", "--format", "json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert [each["name"] for each in data["uploads"]] == ["loop.gif", "me.png"]
    assert data["body"]["assets"]["source"] == "file"
    assert data["body"]["assets"]["faces"][0]["new_face"] == "<upload of me.png>"
    assert data["estimated_credits"] == {"credits": 4, "at_most": 8, "at_least": False, "documented": True}
    done = run("--source", "youtube", "--dry-run")
    assert done.returncode != 0
    assert "--youtube-url: needed when --source is youtube; give it, or change --source" in done.stderr


def test_help_schema_and_page(run_grown: Any, grown: Path) -> None:
    def out(*words: str) -> str:
        done = run_grown("-m", "magic_hour_workflows", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert re.search(r"^  hologram +Create and edit holograms; manage hologram jobs\.$", out("--help"), re.MULTILINE)
    group = out("hologram", "--help")
    assert all(re.search(rf"^  {name} ", group, re.MULTILINE) for name in ("make", "get", "wait", "download"))
    flags = out("hologram", "make", "--help")
    wanted = ("--video FILE", "--face original_face=TEXT,new_face=FILE", "--mode TEXT", "--end-seconds NUMBER")
    assert all(flag in flags for flag in wanted)
    described = json.loads(out("schema", "hologram", "make"))
    assert (described["name"], described["project_kind"]) == ("v1.hologram.create", "hologram")
    prices = [{"mode": "flat", "price": 2}, {"mode": "deep", "price": 3, "up_to": 4}]
    assert described["credits"]["prices"] == prices
    reference = grown / "docs" / "reference"
    page = (reference / "v1.hologram.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    named = [re.sub(r"[^\w]", "", row.split("`")[1]) for row in rows]
    assert {"assets", "video_file_path", "faces", "new_face", "end_seconds", "mode"} <= set(named), named
    assert "client.v1.hologram.create(" in page
    assert (reference / "v1.hologram_projects.md").exists()


def test_the_emulator_makes_it_and_a_batch_completes(run_grown: Any, grown: Path, tmp_path: Path) -> None:
    done = run_grown("-c", EMULATED, grown, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["waited"] == ["complete", "HOLOGRAM"]
    made = [(status, kind, [media_type(Path(path)) for path in paths]) for status, kind, paths in found["results"]]
    deep = ("complete", "hologram", ["video/webm"])
    assert made == [deep, deep, ("complete", "hologram", ["image/png"])]
    assert found["rows"] == {"a": ["saved", "hologram", [".webm"]], "b": ["saved", "hologram", [".png"]]}
    assert sorted(found["charges"]) == [2, 2, 3, 3, 3, 3]
    assert found["estimate"] == "3 to 4 credits"
    assert found["inputs"] == [["video"], *[["image", "video"]] * 5]
