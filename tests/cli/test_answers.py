"""Commands of free operations: faces, the account, saved items; what they print for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Run
from fakes import names_in
from magic_hour_client.models import V1FaceDetectionGetResponse
from magic_hour_emulator import Emulator
from magic_hour_workflows import JobTimeout, Result
from magic_hour_workflows._results import Job
from magic_hour_workflows.cli.command import print_task
from magic_hour_workflows.cli.terminal import Terminal

FACES = ("image", "detect-faces", "--image", "portrait.jpg")


def test_the_account_for_people_and_for_programs(run: Run, emulator: Emulator) -> None:
    emulator.ledger.set_balance(1234)
    shown = dict(line.split(maxsplit=1) for line in run("account").out.splitlines())
    assert (shown["credits"], shown["tier"]) == ("1234", "creator")
    assert run("account", "--format", "json").json["credits"] == 1234


def test_faces_are_printed_and_nothing_is_saved(run: Run, folder: Path) -> None:
    before = names_in(folder)
    ended = run(*FACES)
    assert (ended.code, len(ended.out.splitlines())) == (0, 2)
    assert all(line.startswith("api-assets/") for line in ended.out.splitlines())
    assert "resume" not in ended.err
    assert names_in(folder) == before


def test_pictures_of_faces_are_saved_on_request(run: Run, folder: Path) -> None:
    ended = run(*FACES, "--output", "faces/", "--format", "json").json
    assert (ended["status"], ended["kind"], len(ended["faces"])) == ("complete", "face_detection", 2)
    assert sorted(Path(path).name for path in ended["downloaded_paths"]) == names_in(folder / "faces")


def test_no_face_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    nothing = V1FaceDetectionGetResponse(id="x", status="complete", credits_charged=0, faces=[])
    result = Result(id="x", kind="face_detection", status="complete", credits_charged=0, project=nothing)
    print_task(Terminal(), result)
    assert tuple(capfd.readouterr()) == ("", "face_detection job x: complete, 0 faces\n")


def test_a_task_that_takes_too_long_is_run_again(capfd: pytest.CaptureFixture[str]) -> None:
    job = Job("face_detection", "x")
    code = Terminal(job=job).fail(JobTimeout(job=job, status="queued", credits_charged=0, timeout=1))
    assert (code, "run the command again: it costs nothing" in capfd.readouterr().err) == (124, True)


def test_a_dry_run_of_a_task_costs_nothing(run: Run, emulator: Emulator) -> None:
    ended = run(*FACES, "--dry-run")
    assert ended.out.endswith("cost    0 credits\n")


@pytest.mark.parametrize(
    ("options", "names"),
    [((), ["a", "b", "c"]), (("--type", "voice"), ["a", "c"]), (("--limit", "1"), ["a", "b", "c"])],
)
def test_all_saved_items(
    run: Run, emulator: Emulator, portrait: Path, options: tuple[str, ...], names: list[str]
) -> None:
    for name, kind in (("a", "voice"), ("b", "character"), ("c", "voice")):
        emulator.add_item("saved-items", portrait, type=kind, name=name)
    items = run("saved-items", *options, "--format", "json").json["items"]
    assert sorted(item["name"] for item in items) == list(names)
    assert run("saved-items", *options).out.count("saved-items/") == 2 * len(names)


def test_a_wrong_parameter_is_wrong_usage(run: Run) -> None:
    assert run("saved-items", "--limit", "101").code == 2


def test_a_batch_beyond_the_balance_is_stopped_and_may_be_started_anyway(run: Run, emulator: Emulator) -> None:
    row = {"endpoint": "ai_image_generator", "image_count": 1, "style": {"prompt": "x"}}
    rows = [json.dumps({"key": key, **row}) for key in "ab"]
    Path("rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    emulator.ledger.set_balance(7)
    batch = ("batch", "run", "rows.jsonl", "--output", "out")
    ended = run(*batch)
    assert (ended.code, len(emulator.ledger.creates)) == (1, 0)
    assert "cost at least 10 credits, and the account has 7, so nothing was submitted" in ended.err
    assert "--no-check-balance" in ended.err
    error = json.loads(run(*batch, "--format", "json").out.splitlines()[-1])["error"]
    assert (error["type"], error["needed"], error["balance"]) == ("BalanceTooLow", 10, 7)
    run(*batch, "--no-check-balance")
    assert len(emulator.ledger.creates) == 1


@pytest.mark.parametrize("phase", ["before", "after"])
def test_the_balance_says_whether_a_lost_job_was_charged(run: Run, emulator: Emulator, phase: str) -> None:
    emulator.faults.add("reset", on="create", phase=phase)
    lost = run("image", "generate", "--prompt", "A red fox", "--image-count", "1", "--check-balance")
    assert lost.code == 4
    assert ("probably accepted" if phase == "after" else "probably not accepted") in lost.err
