"""Every fault, in every phase of every step of a whole call: at most one paid job, and none is lost.

Rule: one judge for all cells. Only the table in `outcomes.py` says what a cell may end with. Cells alternate between
sync and async, because both clients use the same flows; `make test-long` runs each cell in both.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults.outcomes import (
    CUT_AT,
    Witness,
    accepted,
    after_a_cut,
    asked_again,
    cells,
    ends_for_good,
    everything_reported,
    exit_code,
    expected,
    files,
    freshened,
    needs_large_output,
    seconds,
    secrets_in,
    unnoticed,
)
from magic_hour_emulator import Emulator, samples
from magic_hour_emulator.faults import Fault
from magic_hour_workflows._results import Result
from magic_hour_workflows.cli import main
from magic_hour_workflows.errors import JobFailed, MagicHourError, SubmissionUnknown
from magic_hour_workflows.events import Created, Event
from worlds import World

pytestmark = pytest.mark.usefixtures("small_pictures")
SLACK_SECONDS = 5.0
"""A call may exceed its timeout by this much on a busy machine; a hang would exceed it by a minute."""
SAMPLED = 20
IN_A_CALL = [
    fault
    for fault in cells("upload-urls", "put", "create", "get", "download")
    if not (needs_large_output(fault) or unnoticed(fault))
]
FOX = ("image", "generate", "--image-count", "1", "--prompt", "A red fox")
HEADSHOT = ("image", "headshot", "--image", str(samples.portrait()))
ENVIRONMENT = {"POLL_INTERVAL": "0.02", "COLUMNS": "80"}
VIDEO_KINDS = ("reset", "cut", "wrong_length", "unavailable", "missing_field", "expired_url")


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    """Its jobs are complete at the first poll, so that a fault hits this poll. It uses real time."""
    with Emulator(token="mhk_test_canary", seed=0, polls_to_complete=1) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _quick_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of cells retry; other tests prove the delays. Retry-After stays as it is."""
    monkeypatch.setattr("magic_hour_workflows._retry.FIRST_DELAY", 0.02)


def in_turns(faults: Sequence[Fault]) -> pytest.MarkDecorator:
    """Every cell in one world, in a pattern independent of the phases; in the long run in both."""
    long = [pytest.mark.long]
    cells = [
        pytest.param(World(world), fault, id=f"{fault}-{world}", marks=[] if number.bit_count() % 2 == turn else long)
        for number, fault in enumerate(faults)
        for turn, world in enumerate(("sync", "asyncio"))
    ]
    return pytest.mark.parametrize(("world", "fault"), cells)


@dataclass
class Ended:
    """How a call ended, and how the job ended when it was resumed."""

    result: Result | None = None
    error: MagicHourError | None = None
    elapsed: float = 0.0
    again: Result | MagicHourError | None = None


class Judge:
    """Makes one call with one fault, and judges how it ended."""

    def __init__(self, service: Emulator, folder: Path, fault: Fault, endpoint: str) -> None:
        service.reset()
        self.service, self.folder, self.fault, self.endpoint = service, folder, fault, endpoint
        self.witness = Witness(service)
        self.kind = "video" if endpoint == "ai_talking_photo" else "image"
        if after_a_cut(fault):
            service.faults.add("cut", on="download", at_byte=CUT_AT)
        service.faults.add(fault)

    def listen(self, event: Event) -> None:
        """Give the job an output: large enough if it is to be cut, otherwise small. Rendering one would be slow."""
        if isinstance(event, Created):
            output = self.folder / "output"
            output.write_bytes(
                b"\0" + random.Random(0).randbytes(2 * CUT_AT if needs_large_output(self.fault) else 2000)
            )
            self.service.put_output(event.id, 0, output)

    def options(self) -> dict[str, Any]:
        """The options of the client."""
        return {"token": self.service.token, "base_url": self.service.url, "poll_interval": 0.02}

    def scenario(self, client: Any) -> Generator[Any, Any, Ended]:
        """Make the call; if it leaves a job behind, resume that without faults."""
        ended = Ended()
        began = time.monotonic()
        try:
            ended.result = yield lambda: getattr(client.v1, self.endpoint).generate(
                **PARAMETERS[self.endpoint](),
                download_directory=self.folder / "first",
                timeout=seconds(self.fault),
                on_progress=self.listen,
            )
        except MagicHourError as error:
            ended.error = error
        ended.elapsed = time.monotonic() - began
        self.asked = self.witness.creates_asked()
        fresh = freshened(self.fault)
        self.repeated = self.witness.later(self.fault, self.fault.on) if asked_again(self.fault) else None
        self.freshened = self.witness.later(self.fault, fresh) if fresh else None
        self.early = self.witness.early()
        self.service.faults.clear()
        if (job_id := self.left_behind(ended.error)) is not None:
            if self.fault.kind == "job_stuck":
                self.service.force(job_id, "complete")
            projects = getattr(client.v1, f"{self.kind}_projects")
            try:
                ended.again = yield lambda: projects.check_result(job_id, download_directory=self.folder / "again")
            except MagicHourError as error:
                ended.again = error
        return ended

    def left_behind(self, error: MagicHourError | None) -> str | None:
        """The id of a paid job, as its owner can know it: from the error, or found by the name in the error."""
        if isinstance(error, SubmissionUnknown):
            return next((create.id for create in self.witness.named(error.name)), None)
        return None if error is None else error.project_id

    def judge(self, ended: Ended) -> None:
        fired = [each.fault for each in self.service.faults.fired]
        assert fired[-1:] == [self.fault], "the fault did not happen"
        self._judge_money(ended)
        wanted = expected(self.fault)
        if wanted is None:
            assert ended.error is None, everything_reported(ended.error)
            self._judge_result(ended.result, self.folder / "first")
        else:
            assert ended.result is None
            assert isinstance(ended.error, wanted), everything_reported(ended.error) if ended.error else "no error"
            self._judge_error(ended.error, ended.again)
        assert self.repeated != 0, "an unusable response was accepted"
        assert self.freshened != 0, "a refused URL was not replaced"
        assert ended.elapsed < seconds(self.fault) + SLACK_SECONDS
        assert self.early == [], "a request was repeated before Retry-After"
        assert self.witness.strangers() == []

    def _judge_money(self, ended: Ended) -> None:
        ledger = self.service.ledger
        assert len(ledger.creates) == len(ledger.charges) == accepted(self.fault)
        answered = [
            each for each in self.witness.requests if each.fault in ("rate_limited", "unavailable", "rate_limit")
        ]
        turned_away = len(answered) if self.fault.on == "create" else 0
        assert self.asked <= 1 + turned_away, "a create was repeated"
        if isinstance(ended.error, JobFailed):
            assert ledger.refunded == ledger.charged > 0

    def _judge_result(self, result: Result | None, folder: Path) -> None:
        assert result is not None
        [create] = self.service.ledger.creates
        assert (result.id, result.status) == (create.id, "complete")
        lie = 0.5 if (self.fault.on, self.fault.kind) == ("get", "fractional_credits") else 0
        assert result.credits_charged == self.witness.net(create.id) + lie
        assert [path.name for path in result.downloaded_paths] == files(folder)
        found = [path.read_bytes() for path in result.downloaded_paths]
        outputs = self.witness.outputs(create.id, self.kind)
        if self.fault.kind == "changed_etag":  # another file of the service, complete
            outputs = [bytes(255 - byte for byte in output) for output in outputs]
        if unnoticed(self.fault):
            assert found != outputs, "it is noticed now: remove it from the list"
        else:
            assert found == outputs, "wrong or partial bytes under a final name"

    def _judge_error(self, error: MagicHourError, again: Result | MagicHourError | None) -> None:
        assert secrets_in(everything_reported(error), self.service) == []
        assert not (self.folder / "first").exists() or files(self.folder / "first") == []
        if self.fault.parameters.get("retry_after") == 3600:
            assert error.retry_after == 3600
        if isinstance(error, SubmissionUnknown):
            assert error.name
            assert str(error.name) in str(error)
            assert len(self.witness.named(error.name)) == accepted(self.fault)
        elif accepted(self.fault):
            assert error.project_id == self.service.ledger.creates[0].id
            assert error.project_id in str(error)
        else:
            assert error.project_id is None
        if accepted(self.fault) and ends_for_good(error):
            assert type(again) is type(error)
        elif accepted(self.fault):
            assert isinstance(again, Result), again
            self._judge_result(again, self.folder / "again")
        assert self.witness.creates_asked() == self.asked, "resuming a job submitted another one"


def _talking_photo() -> dict[str, Any]:
    assets = {"image_file_path": samples.portrait(), "audio_file_path": samples.voice()}
    return {"assets": assets, "start_seconds": 0, "end_seconds": 0.2}


PARAMETERS: dict[str, Callable[[], dict[str, Any]]] = {
    "ai_image_generator": lambda: {"image_count": 1, "style": {"prompt": "A red fox"}},
    "ai_headshot_generator": lambda: {"assets": {"image_file_path": samples.portrait()}},
    "ai_talking_photo": _talking_photo,
}


@pytest.fixture
def check(service: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Runs and judges one cell."""

    def check(world: World, fault: Fault, endpoint: str) -> None:
        caplog.set_level(logging.DEBUG)
        judge = Judge(service, tmp_path, fault, endpoint)
        judge.judge(world.run(judge.scenario, **judge.options()))
        assert secrets_in(caplog.text, service) == []

    return check


class TestUploading:
    @in_turns(cells("upload-urls", "put"))
    def test_cell(self, world: World, fault: Fault, check: Callable[..., None]) -> None:
        check(world, fault, "ai_headshot_generator")


class TestSubmitting:
    @in_turns(cells("create"))
    def test_cell(self, world: World, fault: Fault, check: Callable[..., None]) -> None:
        check(world, fault, "ai_image_generator")


class TestWaiting:
    @in_turns(cells("get"))
    def test_cell(self, world: World, fault: Fault, check: Callable[..., None]) -> None:
        check(world, fault, "ai_image_generator")


class TestSaving:
    @in_turns(cells("download"))
    def test_cell(self, world: World, fault: Fault, check: Callable[..., None]) -> None:
        check(world, fault, "ai_image_generator")


class TestVideos:
    @in_turns([each for each in cells("create", "get", "download") if each.kind in VIDEO_KINDS][::3])
    def test_cell(self, world: World, fault: Fault, check: Callable[..., None]) -> None:
        check(world, fault, "ai_talking_photo")


class TestDeleting:
    @in_turns(cells("delete"))
    def test_cell(self, world: World, fault: Fault, service: Emulator, tmp_path: Path) -> None:
        judge = Judge(service, tmp_path, fault, "ai_image_generator")

        def scenario(client: Any) -> Generator[Any, Any, tuple[str, MagicHourError | None]]:
            parameters = PARAMETERS[judge.endpoint]()
            result = yield lambda: client.v1.ai_image_generator.generate(**parameters, download_outputs=False)
            try:
                yield lambda: client.v1.image_projects.delete(result.id)
            except MagicHourError as error:
                return result.id, error
            return result.id, None

        job_id, error = world.run(scenario, **judge.options(), request_timeout=seconds(fault))
        assert [each.fault for each in service.faults.fired] == [fault]
        wanted = expected(fault)
        assert error is None if wanted is None else isinstance(error, wanted), error
        if wanted is None:
            assert job_id not in {job.id for job in service.jobs}
        assert judge.witness.early() == []
        assert len(service.ledger.creates) == 1
        if error is not None:
            assert secrets_in(everything_reported(error), service) == []


class TestTheCommandLine:
    @pytest.mark.parametrize("fault", random.Random(0).sample(IN_A_CALL, SAMPLED), ids=str)
    def test_cell(
        self,
        fault: Fault,
        service: Emulator,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """In this process: other tests prove the exit of the program, together with signals and streams."""
        service.reset()
        service.faults.add(fault)
        folder = tmp_path / "outputs"
        line = HEADSHOT if fault.on in ("upload-urls", "put") else FOX
        common = ("--output", str(folder), "--format", "json", "--timeout", str(seconds(fault)))
        for name, value in {**ENVIRONMENT, "API_KEY": service.token, "BASE_URL": service.url}.items():
            monkeypatch.setenv(name if name == "COLUMNS" else f"MAGIC_HOUR_{name}", value)
        code = main([*line, *common])
        said = capfd.readouterr()
        assert [each.fault for each in service.faults.fired] == [fault]
        assert secrets_in(said.out + said.err, service) == []
        reported, wanted = json.loads(said.out), expected(fault)
        assert code == exit_code(wanted), said.err
        creates = service.ledger.creates
        assert len(creates) == accepted(fault)
        if wanted is None:
            assert (reported["id"], reported["status"]) == (creates[0].id, "complete")
            assert [Path(path).name for path in reported["downloaded_paths"]] == files(folder)
            return
        error = reported["error"]
        assert not folder.exists() or files(folder) == []
        if wanted is SubmissionUnknown:
            assert len(Witness(service).named(error["name"])) == len(creates)
            assert error["name"] in said.err
        else:
            assert error.get("project_id") == (creates[0].id if creates else None)
            assert not creates or creates[0].id in said.err
