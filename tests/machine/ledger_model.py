"""What a careful user would write down: which jobs were reported, which are doubtful, which files exist.

Rule: every call goes through `call`, which compares what the SDK reports with the emulator's ledger and the disk. The
user knows only what was reported; the ledger knows what is true.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from PIL import Image

from machine.virtual import impatient
from magic_hour_emulator import Emulator
from magic_hour_emulator._ledger import Create
from magic_hour_emulator.faults import Fault
from magic_hour_workflows.errors import (
    InvalidArgument,
    JobCanceled,
    JobFailed,
    JobTimeout,
    MagicHourError,
    NotFound,
    SubmissionUnknown,
)
from magic_hour_workflows.events import Created, Event, SubmissionLost

OTHER_BYTES = frozenset({"wrong_bytes", "changed_etag", "wrong_length"})
"""Faults after which storage sends another file, or a part of it, which only a checksum would show."""
OTHER_CREDITS = frozenset({"fractional_credits", "missing_field", "null_field", "wrong_field"})
"""Faults after which the service may report other credits than it charged."""
UNFINISHED = ("draft", "queued", "rendering")
SETTLING_SECONDS = 5.0


def _is_detectable(fault: Fault, *, rest: bool) -> bool:
    """Whether storage sends a checksum for the other bytes. A resumed download only gets that of its response."""
    checksum = fault.parameters.get("checksum")
    return checksum is not None and (checksum == "content-md5" or not rest)


@attrs.frozen
class Ended:
    """How a call ended."""

    result: Any
    error: MagicHourError | None
    events: list[Event]
    fired: frozenset[str]
    """What went wrong: kinds of faults, or that the client was impatient."""
    other_bytes: bool
    """Whether storage sent another file and nothing showed it."""
    creates: tuple[Create, ...]

    @property
    def paths(self) -> list[Path]:
        """The files that the call says it saved."""
        holder = self.error if self.error is not None else self.result
        return holder if isinstance(holder, list) else list(getattr(holder, "downloaded_paths", []))

    @property
    def ids(self) -> set[str]:
        """Every job id that the call reported, in any way."""
        reported = [getattr(self.result, "id", None), getattr(self.error, "project_id", None)]
        return {id for id in (*reported, *(event.id for event in self.events if isinstance(event, Created))) if id}


@attrs.define
class LedgerModel:
    """What was reported so far, checked against the truth after every call."""

    emulator: Emulator
    folder: Path
    known: list[str] = attrs.field(factory=list)
    doubtful: list[str] = attrs.field(factory=list)
    files: dict[Path, str] = attrs.field(factory=dict)
    seen: Counter[str] = attrs.field(factory=Counter)
    """How calls ended, and which faults happened."""

    def job(self, number: int) -> str | None:
        """One of the jobs that the user knows."""
        return self.known[number % len(self.known)] if self.known else None

    def status(self, id: str) -> str | None:
        """The real status of a job; None if it is deleted."""
        return next((job.status for job in self.emulator.jobs if job.id == id), None)

    def call(self, use: Callable[[Callable[[Event], None]], Any]) -> Ended:
        """Make a call, and collect what it reports and what happened. Only errors of the SDK are expected."""
        accepted, fired = len(self.emulator.ledger.creates), len(self.emulator.faults.fired)
        hurry = {"impatience"} if impatient(self.emulator) else set()
        events: list[Event] = []
        result, error = None, None
        try:
            result = use(events.append)
        except MagicHourError as failure:
            error = failure
        self.seen[type(error or result).__name__] += 1
        faults = [each.fault for each in self.emulator.faults.fired[fired:]]
        other_bytes = any(
            each.kind in OTHER_BYTES and not _is_detectable(each, rest=len(faults) > 1) for each in faults
        )
        kinds = frozenset(each.kind for each in faults)
        self.seen.update(f"fault {kind}" for kind in kinds)
        return Ended(result, error, events, kinds | hurry, other_bytes, self.emulator.ledger.creates[accepted:])

    def submitted(self, ended: Ended, *, events: bool = True) -> None:
        """After a call that may have charged: the job is reported, or doubtful, or was never accepted."""
        assert len(ended.creates) <= 1, "charged twice by one call"
        if ended.ids:
            assert ended.ids == {create.id for create in ended.creates}, "reported another job than was accepted"
            self.known += ended.ids
            if events:
                reported = [event.credits_charged for event in ended.events if isinstance(event, Created)]
                assert len(reported) == 1, "the id was not reported by exactly one event"
                if not ended.fired & OTHER_CREDITS:
                    assert reported == [ended.creates[0].credits]
        elif isinstance(ended.error, SubmissionUnknown):
            lost = [event.name for event in ended.events if isinstance(event, SubmissionLost)]
            assert lost == [ended.error.name] or not events
            assert ended.error.name, "it has no name to look for"
            assert ended.fired, "doubtful for no reason"
            self.doubtful.append(ended.error.name)
        else:
            assert not ended.creates, f"accepted, and the user got {ended.error!r}"
            assert ended.error is not None

    def about(self, id: str, ended: Ended) -> None:
        """After a call about a known job: what it reports is true, and its error has the id."""
        status, error = self.status(id), ended.error
        assert not ended.creates, "charged by a call that does not charge"
        if isinstance(error, JobFailed):
            assert status == "error"
            assert [refund.id for refund in self.emulator.ledger.refunds].count(id) == 1
        elif isinstance(error, JobCanceled):
            assert status == "canceled"
        elif isinstance(error, JobTimeout):
            assert status in UNFINISHED or ended.fired
        if error is not None and not isinstance(error, InvalidArgument):
            assert error.project_id == id or isinstance(error, NotFound), f"{error!r} does not say which job"
        if isinstance(error, NotFound):
            assert status is None or "not_found" in ended.fired
        if status is None:
            assert error is not None, "a deleted job came back"

    def saved(self, ended: Ended, id: str | None) -> None:
        """After any call: new files are those that the call reports, correct and complete; existing files stay."""
        there = {path: path.read_bytes() for path in self.folder.iterdir()}
        assert not [path.name for path in there if path.name.startswith(".")], "a temporary file was left"
        for path, digest in self.files.items():
            assert path in there, f"{path.name} is gone"
            assert _digest(there[path]) == digest, f"{path.name} was overwritten"
        new = {path: content for path, content in there.items() if path not in self.files}
        reported = f"saved {[*map(str, new)]}, and reports {[*map(str, ended.paths)]}: {ended.error!r}"
        assert sorted(new) == sorted(ended.paths), reported
        for path, content in new.items():
            self.files[path] = _digest(content)
            if not ended.other_bytes:
                assert content in self._outputs(id), f"{path.name} is not what the service made"
                Image.open(io.BytesIO(content)).load()
        if ended.error is None and not ended.other_bytes:
            assert [there[path] for path in ended.paths] in ([], self._outputs(id)), "outputs are missing or mixed up"

    def balanced(self) -> None:
        """Every create was charged once, and the user knows it or can find it by a unique name."""
        ledger = self.emulator.ledger
        ids, names = [create.id for create in ledger.creates], [create.name for create in ledger.creates]
        assert [charge.id for charge in ledger.charges] == ids
        assert len(set(names)) == len(names), "submitted twice"
        for create in ledger.creates:
            assert create.id in self.known or create.name in self.doubtful, "accepted, charged and lost"
        assert set(self.known) <= set(ids)
        refunded = [refund.id for refund in ledger.refunds]
        assert len(set(refunded)) == len(refunded)
        assert all(self.status(id) in ("error", None) for id in refunded)

    def find_doubtful(self) -> None:
        """Do what a user does about doubtful jobs: look for their names in the web app."""
        for create in self.emulator.ledger.creates:
            if create.name in self.doubtful and create.id not in self.known:
                self.known.append(create.id)

    def settle(self) -> None:
        """Wait for requests that the client has given up but the service still carries out."""
        until = time.monotonic() + SETTLING_SECONDS
        while time.monotonic() < until and any(
            request.status is None and request.fault in (None, "delay") for request in self.emulator.requests
        ):
            time.sleep(0.01)

    def _outputs(self, id: str | None) -> list[bytes]:
        """The bytes that the service rendered for a job."""
        service = self.emulator.service
        job = service.jobs.find(id or "")
        return [] if job is None else [service.outputs.get(job, index).read_bytes() for index in range(job.count)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
