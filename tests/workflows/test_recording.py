"""What a call leaves in the job log, whatever becomes of it; and that nothing is uploaded which may not be paid for."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeBackend, call, created, lost, project, refused, unsent
from magic_hour_client.endpoints import endpoint
from magic_hour_emulator import Emulator
from magic_hour_workflows import JobFailed, MagicHourError, OverLimit
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.generate import OutputOptions, check_result, generate, save
from magic_hour_workflows._flows.submit import send
from magic_hour_workflows._flows.wait import wait_for
from magic_hour_workflows._job_log import store
from magic_hour_workflows._job_log.entries import Entry, State
from magic_hour_workflows._job_log.log import JobLog
from magic_hour_workflows._job_log.owners import NOBODY, is_running, owner
from magic_hour_workflows._job_log.store import FileStore, read
from magic_hour_workflows.errors import JobLogUnusable
from magic_hour_workflows.events import Created, Event
from worlds import World

EDIT = endpoint("v1.ai_image_editor.create")
GET = "v1.image_projects.get"
UPLOAD_URLS = "v1.files.upload_urls.create"
HERE = "https://api.example"


class Desk:
    """One caller with a job log, at a fake service."""

    def __init__(self, folder: Path, portrait: Path, *, limit: float | None = None, **scripts: Any) -> None:
        self.path = folder / "jobs.jsonl"
        self.log = JobLog(store=FileStore(self.path), service=HERE, limit=limit)
        self.backend = FakeBackend().script(EDIT.name, created("job-1", 50)).script(GET, project(credits=50))
        self.folder = folder / "out"
        self.parameters = {"assets": {"image_file_paths": [portrait]}, "style": {"prompt": "a"}, "name": "my job"}
        self.events: list[Event] = []

    def call(self, on_progress: Callable[[Event], object] | None = None) -> Any:
        return call(self.backend, on_progress=on_progress or self.events.append, job_log=self.log)

    def generate(self, **options: Any) -> Any:
        outputs = OutputOptions(download_directory=self.folder, **options)
        return run_sync(generate(self.call(), EDIT, self.parameters, outputs))

    def entries(self) -> list[Entry]:
        return list(read(self.path).entries.values())

    @property
    def entry(self) -> Entry:
        [entry] = self.entries()
        return entry


@pytest.fixture
def desk(tmp_path: Path, portrait: Path) -> Desk:
    return Desk(tmp_path, portrait)


def test_the_name_is_on_disk_before_the_create_and_the_id_before_anything_else(desk: Desk) -> None:
    seen: list[Entry] = []

    def accept(_: Any) -> Any:
        seen.append(desk.entry)
        return created("job-1", 50)

    def listen(event: Event) -> None:
        if isinstance(event, Created):
            seen.append(desk.entry)

    desk.backend.script(EDIT.name, accept)
    outputs = OutputOptions(download_directory=desk.folder, output_name="hat.png")
    run_sync(generate(desk.call(listen), EDIT, desk.parameters, outputs))
    before, after = seen
    assert (before.state, before.name, before.id) == (State.SUBMITTING, "my job", None)
    assert before.estimate is not None
    assert before.estimate >= 50
    assert (before.directory, before.output_name) == (str(desk.folder), "hat.png")
    assert (after.state, after.id, after.credits) == (State.ACCEPTED, "job-1", 50)
    assert is_running(after.owner)
    assert desk.entry.state is State.SAVED


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([refused(402)], State.NOT_CHARGED),
        ([unsent()], State.NOT_CHARGED),
        ([refused(429)], State.NOT_CHARGED),
        ([unsent(), created("job-1", 50)], State.SAVED),
        ([lost()], State.UNKNOWN),
        ([refused(500)], State.UNKNOWN),
        ([created("", 50)], State.UNKNOWN),
        ([KeyboardInterrupt()], State.UNKNOWN),
        ([unsent(), KeyboardInterrupt()], State.UNKNOWN),
    ],
)
def test_how_a_submission_ends(desk: Desk, answers: list[Any], state: State) -> None:
    desk.backend.script(EDIT.name, *answers)
    if state is State.SAVED:
        desk.generate()
    else:
        with pytest.raises((MagicHourError, KeyboardInterrupt)):
            desk.generate()
        assert state is State.NOT_CHARGED or desk.entry.counted(is_running) == desk.entry.estimate
    assert desk.entry.state is state


def test_an_upload_that_fails_leaves_nothing_to_count(tmp_path: Path, portrait: Path) -> None:
    desk = Desk(tmp_path, portrait, limit=1000)
    desk.backend.script(UPLOAD_URLS, refused(403))
    with pytest.raises(MagicHourError):
        desk.generate()
    assert desk.entry.state is State.NOT_CHARGED


def test_too_much_is_refused_before_anything_is_uploaded(tmp_path: Path, portrait: Path) -> None:
    desk = Desk(tmp_path, portrait, limit=10)
    with pytest.raises(OverLimit, match=r"may cost \d+ credits, and 0 of 10 are used in the job log"):
        desk.generate()
    assert desk.backend.sent == []
    assert desk.entries() == []


def test_credits_are_set_aside_while_files_are_uploaded(tmp_path: Path, portrait: Path) -> None:
    desk = Desk(tmp_path, portrait, limit=1000)
    states: list[State] = []
    desk.backend.script("put", lambda _: states.append(desk.entry.state))
    desk.generate()
    assert states == [State.RESERVED]


FAILED = project("error", credits=0)
CANCELED = project("canceled", credits=20)


@pytest.mark.parametrize(("answer", "state", "counted"), [(FAILED, State.FAILED, 0), (CANCELED, State.CANCELED, 20)])
@pytest.mark.parametrize("by", ["generate", "wait", "check_result", "download"])
def test_a_job_that_fails_is_closed(desk: Desk, answer: Any, state: State, counted: float, by: str) -> None:
    desk.backend.script(GET, answer)
    if by != "generate":
        desk.generate(wait_for_completion=False)
    flows = {
        "generate": lambda: desk.generate(),
        "wait": lambda: run_sync(wait_for(desk.call(), "image", "job-1")),
        "check_result": lambda: run_sync(check_result(desk.call(), "image", "job-1", OutputOptions())),
        "download": lambda: run_sync(save(desk.call(), "image", "job-1", OutputOptions())),
    }
    with pytest.raises(MagicHourError):
        flows[by]()
    assert (desk.entry.state, desk.entry.counted(is_running)) == (state, counted)


def test_a_job_that_is_not_waited_for_belongs_to_nobody_and_is_closed_by_its_id(desk: Desk) -> None:
    desk.generate(wait_for_completion=False)
    assert (desk.entry.state, desk.entry.owner) == (State.ACCEPTED, NOBODY)
    desk.backend.script(GET, project(id="another"), project())
    run_sync(check_result(desk.call(), "image", "another", OutputOptions(download_outputs=False)))
    assert desk.entry.state is State.ACCEPTED
    run_sync(check_result(desk.call(), "image", "job-1", OutputOptions(download_directory=desk.folder)))
    assert desk.entry.state is State.SAVED


def test_a_call_that_gives_up_leaves_its_job_to_others(desk: Desk) -> None:
    desk.backend.script(GET, project("queued"))
    with pytest.raises(TimeoutError):
        desk.generate()
    assert (desk.entry.state, desk.entry.owner) == (State.ACCEPTED, NOBODY)


def test_outputs_that_are_not_wanted_leave_nothing_to_do(desk: Desk) -> None:
    desk.generate(download_outputs=False)
    assert desk.entry.state is State.COMPLETE


def test_two_lines_are_synced_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the create and after its answer: a `saved` that a power cut takes costs a second download."""
    synced: list[State] = []
    monkeypatch.setattr(store, "sync_file", lambda _: synced.append(desk.entry.state))
    desk.generate()
    assert synced == [State.SUBMITTING, State.ACCEPTED]


def test_a_low_level_create_is_recorded(desk: Desk) -> None:
    desk.backend.script("v1.ai_image_generator.create", created("job-2", 5))
    request = endpoint("v1.ai_image_generator.create").request(image_count=1, style={"prompt": "a"}, name="plain")
    run_sync(send(desk.call(), request))
    assert (desk.entry.id, desk.entry.name, desk.entry.estimate is not None) == ("job-2", "plain", True)


def test_a_log_that_cannot_be_written_stops_a_call_before_the_create(desk: Desk) -> None:
    desk.path.parent.joinpath("jobs.jsonl").mkdir()
    with pytest.raises(JobLogUnusable):
        desk.generate()
    assert EDIT.name not in desk.backend.names()


def test_a_log_that_cannot_be_written_afterwards_costs_no_job(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    def accept(_: Any) -> Any:
        monkeypatch.setattr(FileStore, "change", full)
        return created("job-1", 50)

    desk.backend.script(EDIT.name, accept)
    assert len(desk.generate().downloaded_paths) == 1
    assert "No space left" in caplog.text
    assert "job-1" in caplog.text


def test_without_a_log_nothing_is_written(tmp_path: Path, portrait: Path) -> None:
    desk = Desk(tmp_path, portrait)
    call_without = call(desk.backend)
    run_sync(generate(call_without, EDIT, desk.parameters, OutputOptions(download_directory=desk.folder)))
    assert not desk.path.exists()


# Both clients, at the emulator


def image(client: Any, **options: Any) -> Any:
    return client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "A red fox"}, **options)


@pytest.mark.parametrize("place", ["file", "client"])
def test_a_limit_of_a_client(
    world: World, options: dict[str, Any], tmp_path: Path, emulator: Emulator, place: str
) -> None:
    log = tmp_path / "jobs.jsonl" if place == "file" else None

    def scenario(client: Any) -> Generator[Any, Any, list[Any]]:
        ends: list[Any] = []
        for _ in range(3):
            try:
                ends.append((yield image(client, download_directory=tmp_path / "out")))
            except OverLimit as error:
                ends.append(error)
        return ends

    *results, error = world.run(scenario, **options, job_log=log, max_credits=14)
    assert [result.credits_charged for result in results] == [5, 5]
    assert (error.used, error.estimate, error.limit) == (10, 5, 14)
    assert len(emulator.ledger.creates) == 2
    if log is not None:
        assert [entry.state for entry in read(log).entries.values()] == [State.SAVED] * 2
        assert emulator.token not in log.read_text()
        assert "signature" not in log.read_text()


def test_a_job_that_fails_leaves_room(
    world: World, options: dict[str, Any], tmp_path: Path, emulator: Emulator
) -> None:
    emulator.faults.add("job_error", on="create", times=1)

    def scenario(client: Any) -> Generator[Any, Any, Any]:
        try:
            yield image(client, download_outputs=False)
        except JobFailed:
            return (yield image(client, download_outputs=False))
        raise AssertionError("it did not fail")

    result = world.run(scenario, **options, job_log=tmp_path / "jobs.jsonl", max_credits=5)
    assert result.status == "complete"
    assert is_running(owner())
