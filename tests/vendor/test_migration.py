"""docs/migration.md is true: its program runs with both SDKs, and each difference it lists is one.

Rule: the vendor's SDK is only run, in an environment of its own.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from magic_hour_client.errors import APIError, InvalidArgument, NotFound
from magic_hour_emulator import Emulator, samples
from magic_hour_workflows import Client
from magic_hour_workflows.errors import AssetNotFound, JobFailed, SubmissionUnknown
from programs import ran
from vendor.session import FOX, Json, Vendor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text(encoding="utf-8")
[PROGRAM] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
[(THEIRS, OURS)] = re.findall(r"```diff\n-(.*)\n\+(.*)\n```", PAGE)
MISSING = {"assets": {"image_file_path": "missing.jpg"}}


def outcome(python: Path, program: str, folder: Path) -> tuple[str, list[Any]]:
    """What the program prints, and the jobs it makes: run in a folder as a reader may have it."""
    (folder / "outputs").mkdir(parents=True)
    for sample in (samples.portrait(), samples.voice(), samples.clip()):
        shutil.copy(sample, folder)
    with Emulator(seed=0) as emulator:
        variables = {
            "MAGIC_HOUR_API_KEY": emulator.token,
            "MAGIC_HOUR_BASE_URL": emulator.url,
            "MAGIC_HOUR_POLL_INTERVAL": "0.05",
        }
        done = ran(python, "-I", "-c", program, cwd=folder, env=variables)
        assert done.returncode == 0, done.stdout
        return done.stdout, [(create.operation, create.credits) for create in emulator.ledger.creates]


def test_the_program_does_the_same_with_both(vendor_python: Path, tmp_path: Path) -> None:
    assert PROGRAM.count(OURS) == 1
    theirs = outcome(vendor_python, PROGRAM.replace(OURS, THEIRS), tmp_path / "vendor")
    assert outcome(Path(sys.executable), PROGRAM, tmp_path / "ours") == theirs
    assert theirs[0].splitlines() == ["complete 24 1", "complete 24 1", "complete 120 1", "complete 5 1"]


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Client]:
    with Client(token=emulator.token, base_url=emulator.url, poll_interval=0.02) as client:
        yield client


def test_a_failed_job(vendor: Vendor, client: Client, emulator: Emulator) -> None:
    emulator.fail_next("no_source_face", "There is no face")
    result = vendor.result("ai_image_generator.generate", **FOX)
    assert (result["status"], result["error"]["code"]) == ("error", "no_source_face")
    emulator.fail_next("no_source_face", "There is no face")
    with pytest.raises(JobFailed) as failed:
        client.v1.ai_image_generator.generate(**FOX)
    assert (failed.value.code, failed.value.project_id) == ("no_source_face", emulator.ledger.creates[-1].id)


@pytest.mark.parametrize(
    ("method", "arguments", "call", "theirs", "ours", "requests"),
    [
        ("image_projects.get", {"id": "any"}, lambda v1: v1.image_projects.get("any"), "ApiError", NotFound, 1),
        (
            "ai_image_generator.generate", {**FOX, "image_count": 99},
            lambda v1: v1.ai_image_generator.generate(**{**FOX, "image_count": 99}), "ApiError", InvalidArgument, 0,
        ),
        (
            "ai_headshot_generator.generate", MISSING,
            lambda v1: v1.ai_headshot_generator.generate(**MISSING), "FileNotFoundError", AssetNotFound, 0,
        ),
    ],
    ids=["refused", "wrong-argument", "missing-file"],
)  # fmt: skip
def test_errors(
    vendor: Vendor, client: Client, emulator: Emulator, method: str, arguments: Json, call: Any, theirs: str,
    ours: type[Exception], requests: int,
) -> None:  # fmt: skip
    assert vendor.error(method, **arguments)["type"] == theirs
    before = len(emulator.requests)
    with pytest.raises(ours) as raised:
        call(client.v1)
    assert len(emulator.requests) - before == requests
    assert isinstance(raised.value, (APIError, InvalidArgument))


def test_a_connection_that_breaks_after_the_request(vendor: Vendor, client: Client, emulator: Emulator) -> None:
    emulator.faults.add("reset", on="create", phase="after")
    assert vendor.error("ai_image_generator.generate", **FOX)["type"] not in ("ApiError", "SubmissionUnknown")
    emulator.faults.add("reset", on="create", phase="after")
    with pytest.raises(SubmissionUnknown) as unknown:
        client.v1.ai_image_generator.generate(**FOX)
    assert unknown.value.name == emulator.ledger.creates[-1].name
    assert [bool(create.name) for create in emulator.ledger.creates] == [False, True]


def test_saved_files(vendor: Vendor, client: Client, emulator: Emulator, tmp_path: Path) -> None:
    folder, new = tmp_path / "there", str(tmp_path / "new")
    folder.mkdir()
    for _ in range(2):
        result = vendor.result("ai_image_generator.generate", **FOX, download_directory=str(folder))
        assert result["downloads"]
    assert [path.name for path in folder.iterdir()] == ["output.png"]
    assert vendor.error("ai_image_generator.generate", **FOX, download_directory=new)["type"] == "FileNotFoundError"
    assert len(emulator.ledger.creates) == 3, "it was charged"
    made = [client.v1.ai_image_generator.generate(**FOX, download_directory=new) for _ in range(2)]
    assert [one.downloaded_paths for one in made] == [[Path(new) / f"{one.id}-1.png"] for one in made]
    assert client.v1.image_projects.get(made[0].id).downloads
    named = client.v1.ai_image_generator.generate(**FOX, download_directory=new, output_name="fox")
    assert named.downloaded_paths == [Path(new) / "fox.png"]


def test_nothing_is_saved(vendor: Vendor, client: Client) -> None:
    assert vendor.result("ai_image_generator.generate", **FOX, download_outputs=False)["downloaded_paths"] is None
    assert client.v1.ai_image_generator.generate(**FOX, download_outputs=False).downloaded_paths == []
