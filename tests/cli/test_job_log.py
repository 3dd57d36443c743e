"""`magic-hour jobs`: what is recorded by default, and what becomes of jobs whose program has ended."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from commands import Run, saved
from magic_hour_emulator import Emulator
from magic_hour_workflows import Client
from magic_hour_workflows._job_log.entries import Entry, State, line_of
from magic_hour_workflows._job_log.owners import NOBODY, owner
from magic_hour_workflows._job_log.store import FileStore, read
from magic_hour_workflows.cli import terminal

GENERATE = ("image", "generate", "--image-count", "1", "--prompt", "a")
NAME = "ai_image_generator 2026-11-20T12:00:00Z 1a2b3c4d"


@pytest.fixture
def log(folder: Path) -> Path:
    """The usual file, of a user who has none yet."""
    return Path(os.environ["XDG_STATE_HOME"], "magic-hour/jobs.jsonl")


def entries(log: Path) -> list[Entry]:
    return list(read(log).entries.values())


def submitted(emulator: Emulator) -> str:
    """The id of a job of a program that has ended."""
    with Client(token=emulator.token, base_url=emulator.url, job_log=True) as client:
        id: str = client.v1.ai_image_generator.create(image_count=1, style={"prompt": "a"}, name="fox").id
        return id


def record(log: Path, service: str, **known: Any) -> Entry:
    entry = attrs.evolve(
        Entry(token="0123456789abcdef", service=service, operation="v1.ai_image_generator.create", kind="image"),
        **{"name": NAME, "at": datetime.now(UTC) - timedelta(minutes=3), "owner": NOBODY, "estimate": 5, **known},
    )
    FileStore(log).change(lambda _: line_of(entry), sync=False)
    return entry


def test_a_command_records_its_job(run: Run, log: Path, folder: Path) -> None:
    assert run(*GENERATE).code == 0
    [entry] = entries(log)
    assert (entry.state, entry.credits, entry.directory) == (State.SAVED, 5, str(folder))
    assert run("jobs").out == "nothing to do: all jobs are saved\n"
    assert "saved" in run("jobs", "list", "--all").out


@pytest.mark.parametrize("how", ["option", "variable"])
def test_another_file_or_none(run: Run, log: Path, folder: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def options(place: str) -> list[str]:
        monkeypatch.setenv("MAGIC_HOUR_JOB_LOG", place if how == "variable" else "ignored.jsonl")
        return [] if how == "variable" else ["--job-log", place]

    assert run(*GENERATE, *options("mine.jsonl")).code == 0
    assert len(entries(folder / "mine.jsonl")) == 1
    assert len(run("jobs", "list", "--all", *options("mine.jsonl"), "--format", "json").json["jobs"]) == 1
    assert run(*GENERATE, *options("none")).code == 0
    assert not log.exists()
    assert run("jobs", "list", *options("none")).code == 2


def test_a_state_folder_that_is_not_writable_is_said_and_costs_no_job(
    run: Run, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    ended = run(*GENERATE)
    assert ended.code == 0
    assert "submitted jobs are not recorded" in ended.err
    assert not log.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give up its rights")
def test_a_state_folder_that_cannot_be_entered_costs_no_job(run: Run, log: Path, folder: Path) -> None:
    closed = log.parents[1]
    closed.mkdir(mode=0)
    folder.chmod(0o777)
    try:
        os.seteuid(65534)
        assert terminal.unusable_default() is not None
    finally:
        os.seteuid(0)


def test_list_and_resume(run: Run, log: Path, folder: Path, emulator: Emulator) -> None:
    id = submitted(emulator)
    listed = run("jobs")
    assert listed.out.split()[:3] == ["not", "saved", id]
    assert "fox" in listed.out
    assert "5 credits" in listed.out
    assert "magic-hour jobs resume" in listed.err
    resumed = run("jobs", "resume", "--output", "out", "--poll-interval", "0.02")
    assert resumed.code == 0
    assert resumed.out.splitlines() == [f"out/{id}-1.png"]
    assert (folder / f"out/{id}-1.png").exists()
    assert entries(log)[0].state is State.SAVED
    again = run("jobs", "resume")
    assert (again.code, again.out.strip()) == (0, "")
    assert "no job has to be resumed" in again.err
    assert len(emulator.ledger.charges) == 1


def test_resumed_where_the_program_would_have_saved(run: Run, log: Path, folder: Path, emulator: Emulator) -> None:
    id = submitted(emulator)
    [entry] = entries(log)
    there = attrs.evolve(entry, directory=str(folder / "there"), output_name="fox.png")
    FileStore(log).change(lambda _: line_of(there, entry), sync=False)
    data = run("jobs", "resume", id, "--format", "json").json
    assert data["jobs"][0]["downloaded_paths"] == [str(folder / "there/fox.png")]


def test_a_job_that_failed_does_not_keep_others_from_being_saved(run: Run, log: Path, emulator: Emulator) -> None:
    emulator.faults.add("job_error", on="create", times=1)
    submitted(emulator)
    good = submitted(emulator)
    resumed = run("jobs", "resume", "--poll-interval", "0.02")
    assert resumed.code == 3
    assert resumed.out.strip().endswith(f"{good}-1.png")
    assert [entry.state for entry in entries(log)] == [State.FAILED, State.SAVED]


def test_a_job_of_a_running_program_is_left_to_it(run: Run, log: Path, emulator: Emulator) -> None:
    id = submitted(emulator)
    [entry] = entries(log)
    FileStore(log).change(lambda _: line_of(attrs.evolve(entry, owner=owner()), entry), sync=False)
    assert "in progress" in run("jobs").out
    assert "no job has to be resumed" in run("jobs", "resume").err
    assert run("jobs", "resume", id).code == 0


def test_jobs_of_another_address_are_counted_only(run: Run, log: Path, folder: Path) -> None:
    record(log, "https://api.example", state=State.ACCEPTED, id="abc")
    listed = run("jobs")
    assert listed.out == "nothing to do: all jobs are saved\n"
    assert "1 more at other addresses" in listed.err
    assert "abc" in run("jobs", "list", "--all").out
    assert run("jobs", "resume", "abc").code == 2


@pytest.mark.parametrize("state", [State.UNKNOWN, State.SUBMITTING])
def test_an_unknown_submission_is_shown_with_what_settles_it(
    run: Run, log: Path, emulator: Emulator, state: State
) -> None:
    record(log, emulator.url, state=state)
    listed = run("jobs")
    assert listed.out.startswith("unknown ")
    assert "3 min ago" in listed.out
    assert f"magic-hour jobs settle '{NAME}' --project ID" in listed.err
    assert f"magic-hour jobs settle '{NAME}' --not-charged" in listed.err
    assert run("jobs", "resume").code == 4
    refused = run(*GENERATE, "--max-credits", "9")
    assert refused.code == 1
    assert "5 of 9 are used" in refused.err
    assert "raise --max-credits, or choose another --job-log, or settle those first" in refused.err
    assert not emulator.ledger.charges
    assert run("jobs", "settle", NAME, "--not-charged").code == 0
    assert run("jobs").out == "nothing to do: all jobs are saved\n"
    assert run(*GENERATE, "--max-credits", "9").code == 0


def test_an_unknown_submission_whose_job_is_found_is_resumed(
    run: Run, log: Path, folder: Path, emulator: Emulator
) -> None:
    id = submitted(emulator)
    log.unlink()
    record(log, emulator.url, state=State.UNKNOWN)
    settled = run("jobs", "settle", NAME, "--project", id)
    assert settled.code == 0
    assert f"magic-hour jobs resume {id}" in settled.out
    assert run("jobs", "resume").code == 0
    assert f"{id}-1.png" in saved(folder)


def test_a_job_that_is_not_wanted_is_closed(run: Run, log: Path, emulator: Emulator) -> None:
    id = submitted(emulator)
    assert run("jobs", "settle", id, "--not-charged").code == 2  # it has an id
    assert run("jobs", "settle", id, "--done").code == 0
    assert run("jobs").out == "nothing to do: all jobs are saved\n"
    assert run("jobs", "list", "--format", "json").json["credits_used"] == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing", "--done"), "no open job called nothing"),
        ((NAME,), "pass one of"),
        ((NAME, "--done", "--not-charged"), "pass one of"),
        ((NAME, "--not-charged"), "3 open jobs"),
        (("running", "--not-charged"), "still be running"),
    ],
)
def test_what_cannot_be_settled(
    run: Run, log: Path, emulator: Emulator, arguments: tuple[str, ...], words: str
) -> None:
    record(log, emulator.url, state=State.UNKNOWN)
    record(log, emulator.url, state=State.UNKNOWN, token="1")
    record(log, emulator.url, state=State.SUBMITTING, token="running", owner=owner())
    ended = run("jobs", "settle", *arguments)
    assert ended.code == 2
    assert words in ended.err


def test_lines_that_cannot_be_read_are_said(run: Run, log: Path, emulator: Emulator) -> None:
    record(log, emulator.url, state=State.ACCEPTED, id="abc")
    with log.open("a") as file:
        file.write('{"entry": "half\n')
    assert "1 lines of the job log cannot be read" in run("jobs").err


def test_a_batch_is_not_in_the_log(run: Run, log: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGIC_HOUR_JOB_LOG", str(folder))  # not a file, which a batch does not care about
    (folder / "rows.csv").write_text("key,endpoint,image_count,style.prompt\na,ai_image_generator,1,fox\n")
    assert run("batch", "run", "rows.csv", "--output", "out").code == 0
    assert not log.exists()
