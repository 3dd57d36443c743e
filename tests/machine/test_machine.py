"""Any sequence of calls by two clients, restarts, faults and passing time: nothing lost, nothing charged twice.

Hypothesis chooses what happens. `LedgerModel` judges after every step. At the end, every accepted job is finished
by its id alone. `make machine EXAMPLES=500` searches further than the test, with other examples each time.
"""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from PIL import Image

from machine.ledger_model import UNFINISHED, Ended, LedgerModel
from machine.virtual import VirtualClient
from magic_hour_emulator import Emulator
from magic_hour_emulator.faults import KINDS, STEPS, Fault, Step, matrix
from magic_hour_workflows.errors import JobCanceled, JobFailed, JobTimeout

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "0"))
QUICK: dict[str, dict[str, Any]] = {
    "huge_body": {"size": 1_000_000},
    "delay": {"seconds": 0.05},
    "drip": {"rate": 1_000_000},
}
"""Parameters that test the same thing in less time."""


def _portrait() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, "PNG")
    return file.getvalue()


PORTRAIT = _portrait()


def faults(*steps: Step) -> st.SearchStrategy[Fault]:
    """One fault of these steps: first the kind, so that kinds with many variants do not dominate."""
    every = [_quick(fault) for fault in matrix(steps)]
    return st.sampled_from(list(KINDS)).flatmap(
        lambda kind: st.sampled_from([fault for fault in every if fault.kind == kind] or every)
    )


def _quick(fault: Fault) -> Fault:
    parameters = {**fault.parameters, **QUICK.get(fault.kind, {})}
    return Fault(fault.kind, on=fault.on, phase=fault.phase, times=1, **parameters)


clients = st.integers(0, 1)
numbers = st.integers(0, 7)
"""Which of the known jobs; valid whatever happened before."""


class Machine(RuleBasedStateMachine):
    """Two clients of one service."""

    emulator: ClassVar[Emulator]
    seen: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.emulator.reset()
        self.temporary = tempfile.TemporaryDirectory()
        self.model = LedgerModel(self.emulator, Path(self.temporary.name), seen=self.seen)
        self.chance = random.Random(0)
        self.clients = [self._client() for _ in range(2)]
        self.names = 0

    def _client(self) -> VirtualClient:
        return VirtualClient(self.emulator, self.chance)

    def _about(self, client: int, number: int, use: Callable[..., Any]) -> Ended | None:
        """Make a call about a known job, if there is any."""
        id = self.model.job(number)
        if id is None:
            return None
        projects = self.clients[client].v1.image_projects
        ended = self.model.call(lambda on_progress: use(projects, id, on_progress))
        self.model.about(id, ended)
        self.model.saved(ended, id)
        return ended

    @rule(
        client=clients,
        count=st.sampled_from([1, 4]),
        wait=st.booleans(),
        fault=st.none() | faults("create", "get", "download"),
    )
    def generate(self, client: int, count: int, wait: bool, fault: Fault | None) -> None:
        self._arm(fault)
        editor = self.clients[client].v1.ai_image_editor
        self._generated(
            lambda on_progress: editor.generate(
                assets={"image_file_paths": [("portrait.png", PORTRAIT)]},
                image_count=count,
                style={"prompt": "A hat"},
                wait_for_completion=wait,
                download_directory=self.model.folder,
                on_progress=on_progress,
            )
        )

    @rule(client=clients, download=st.booleans(), fault=st.none() | faults("upload-urls", "put", "create"))
    def generate_after_uploads(self, client: int, download: bool, fault: Fault | None) -> None:
        self._arm(fault)
        headshots = self.clients[client].v1.ai_headshot_generator
        self._generated(
            lambda on_progress: headshots.generate(
                assets={"image_file_path": ("portrait.png", PORTRAIT)},
                download_outputs=download,
                download_directory=self.model.folder,
                on_progress=on_progress,
            )
        )

    def _generated(self, use: Callable[..., Any]) -> None:
        ended = self.model.call(use)
        self.model.submitted(ended)
        self.model.saved(ended, next(iter(ended.ids), None))

    @rule(client=clients, fault=st.none() | faults("create"))
    def create(self, client: int, fault: Fault | None) -> None:
        self._arm(fault)
        self.names += 1
        body = {"image_count": 1, "style": {"prompt": "A red fox"}, "name": f"number {self.names}"}
        ended = self.model.call(lambda _: self.clients[client].v1.ai_image_generator.create(**body))
        self.model.submitted(ended, events=False)

    @rule(client=clients, number=numbers, fault=st.none() | faults("get"))
    def wait(self, client: int, number: int, fault: Fault | None) -> None:
        self._arm(fault)
        self._about(client, number, lambda projects, id, on_progress: projects.wait(id, on_progress=on_progress))

    @rule(client=clients, number=numbers, fault=st.none() | faults("get", "download"))
    def download(self, client: int, number: int, fault: Fault | None) -> None:
        self._arm(fault)
        folder = self.model.folder
        self._about(
            client, number, lambda projects, id, on_progress: projects.download(id, folder, on_progress=on_progress)
        )

    @rule(client=clients, number=numbers, wait=st.booleans(), fault=st.none() | faults("get", "download"))
    def check_result(self, client: int, number: int, wait: bool, fault: Fault | None) -> None:
        self._arm(fault)
        folder = self.model.folder
        self._about(
            client,
            number,
            lambda projects, id, on_progress: projects.check_result(
                id, wait, download_directory=folder, on_progress=on_progress
            ),
        )

    @rule(client=clients, number=numbers, fault=st.none() | faults("delete"))
    def delete(self, client: int, number: int, fault: Fault | None) -> None:
        self._arm(fault)
        id = self.model.job(number)
        if id is None:
            return
        there = self.model.status(id) is not None
        ended = self.model.call(lambda _: self.clients[client].v1.image_projects.delete(id))
        if (
            ended.error is None and "not_found" not in ended.fired
        ):  # which, once a DELETE may have arrived, counts as success
            assert self.model.status(id) is None, "deleted, it said"
        elif ended.error is not None:
            assert ended.fired or not there, f"not deleted for no reason: {ended.error!r}"

    @rule(client=clients)
    def restart(self, client: int) -> None:
        self.clients[client].close()
        self.clients[client] = self._client()

    @rule()
    def find_doubtful(self) -> None:
        self.model.find_doubtful()

    @rule(fault=faults(*STEPS))
    def fault_on(self, fault: Fault) -> None:
        """For the first call that reaches it."""
        self._arm(fault)

    def _arm(self, fault: Fault | None) -> None:
        if fault is not None:
            self.emulator.faults.add(fault)

    @rule()
    def faults_off(self) -> None:
        self.emulator.faults.clear()

    @rule(seconds=st.sampled_from([0.1, 1.0, 60.0, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.emulator.clock.advance(seconds)

    @invariant()
    def the_ledger_is_balanced(self) -> None:
        self.model.balanced()

    def teardown(self) -> None:
        try:
            self.emulator.faults.clear()
            self.model.settle()
            if sys.exc_info()[0] is None:  # otherwise a step has failed, and its error says more
                self._finish_all()
        finally:
            for client in self.clients:
                client.close()
            self.temporary.cleanup()

    def _finish_all(self) -> None:
        """Finish every job by its id, with a client that knows nothing else."""
        self.model.balanced()
        self.model.find_doubtful()
        assert set(self.model.known) == {create.id for create in self.emulator.ledger.creates}
        self.clients.append(self._client())
        for number in range(len(self.model.known)):
            self._finish(number)

    def _finish(self, number: int) -> None:
        ended = self._about(
            -1, number, lambda projects, id, _: projects.check_result(id, download_directory=self.model.folder)
        )
        status = self.model.status(self.model.known[number])
        assert ended is not None
        if status == "complete":
            assert ended.error is None
            assert ended.paths
        elif status is not None:
            expected = JobTimeout if status in UNFINISHED else {"error": JobFailed, "canceled": JobCanceled}[status]
            assert isinstance(ended.error, expected)


@pytest.mark.usefixtures("small_pictures")
@pytest.mark.parametrize("examples", [20, pytest.param(EXAMPLES or 50, marks=pytest.mark.long)])
def test_nothing_is_lost_or_charged_twice(examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = settings(
        derandomize=not EXAMPLES,
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        database=None,
        # Shrinking a failure takes minutes: the test only finds it, the long run shrinks it.
        phases=tuple(Phase) if EXAMPLES else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with Emulator(token="mhk_test_canary", frozen=True, seed=0) as emulator:
        monkeypatch.setattr(Machine, "emulator", emulator, raising=False)
        monkeypatch.setattr(Machine, "seen", seen := Counter(), raising=False)
        run_state_machine_as_test(Machine, settings=profile)
    print(*(f"{count:7} {what}" for what, count in seen.most_common()), sep="\n")
    faults = {what for what in seen if what.startswith("fault ")}
    assert len(faults) >= len(KINDS) / 2, "too little went wrong for this to mean anything"
    assert seen.keys() >= {"Result", "SubmissionUnknown", "NotFound"}
