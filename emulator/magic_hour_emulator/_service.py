"""The service without its network side: what a request does to jobs, ledger and files.

Rule: a create is accepted here and nowhere else. Everything before the charge may refuse it; nothing after it may.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ._answers import describe
from ._clock import Clock, timestamp
from ._contract import Contract, Json, Operation
from ._courier import Courier
from ._fault_schedule import FaultSchedule, operation_steps
from ._inputs import Inputs
from ._jobs import Ids, Job, JobError, Jobs
from ._ledger import Create, Ledger
from ._products import RENDERERS, check_clip, inspect
from ._readings import Readings
from ._recorder import Recorder
from ._request_checks import Refusal
from ._stored_files import DOWNLOAD_SECONDS, Outputs, Signer, Uploads, output_path
from ._viewers import Viewers
from ._webhook_targets import Webhook
from ._webhooks import Webhooks
from .faults import Target

__all__ = ["Service", "Settings"]

_UPLOAD_SECONDS: Final = 3600.0


@dataclass(frozen=True)
class Settings:
    """How an emulator behaves; `Emulator` documents every field."""

    token: str
    credits: int
    seed: int
    speed: float
    frozen: bool
    polls_to_complete: int | None
    realistic: bool
    durations: Mapping[str, float]
    allowed_hosts: frozenset[str] = frozenset()
    webhook: Webhook | None = None


@dataclass
class Service:
    """The whole state of one emulator."""

    settings: Settings
    contract: Contract
    directory: Path
    url: str = ""
    storage_url: str = ""
    mirror_url: str = ""

    def __post_init__(self) -> None:
        settings = self.settings
        self.clock = Clock(speed=settings.speed, frozen=settings.frozen)
        self.ids = Ids(settings.seed)
        self.ledger = Ledger(settings.credits)
        self.recorder = Recorder(self.clock, settings.token)
        self.faults = FaultSchedule(self.clock, settings.seed, operation_steps(self.contract, self.contract.events))
        self.signer = Signer(self.clock)
        self.jobs = Jobs(self.clock, self.ledger, settings.polls_to_complete)
        self.uploads = Uploads(_folder(self.directory, "uploads"), self.clock, self.ids)
        self.viewers = Viewers()
        self.resets = 0
        """How often the whole state was replaced, so that viewers start again."""
        self.readings = Readings(
            self.contract, self.ledger, self.uploads, self.ids, self.signer, lambda: self.storage_url
        )
        self._job_fields = {
            each.kind: each.answer for each in self.contract.operations if each.step == "get" and each.kind
        }
        self.outputs = Outputs(_folder(self.directory, "outputs"), self._render)
        self._inputs = Inputs(
            self.uploads, self.jobs, self.outputs, self.signer, self.contract.example_assets, lambda: self.storage_url
        )
        first = [settings.webhook] if settings.webhook else []
        self.webhooks = Webhooks(self.clock, self.jobs, self.faults, self.describe, first)
        self.courier = Courier(self.webhooks, self.clock)
        self.jobs.listeners.append(self.webhooks.job_changed)
        self.webhooks.wake = self.courier.wake
        self.clock.listeners.append(self.courier.wake)

    def accept(self, operation: Operation, body: Json) -> Job:
        """Accept a create that matches its schema: check the rest, charge, start the job. Slow: decodes the inputs."""
        emulation = operation.emulation
        if emulation is None:
            raise ValueError(f"{operation.id} makes nothing")
        problem = check_clip(emulation, body)
        if problem:
            raise Refusal(422, "unprocessable_entity", problem)
        inputs = self._inputs.resolve(operation, body)
        verdict = inspect(emulation, body, inputs)
        usual = emulation.median_seconds if self.settings.realistic else emulation.seconds
        job = Job(
            id=self.ids.next(),
            kind=operation.kind or "",
            resource=operation.resource,
            name=body.get("name"),
            body=body,
            emulation=emulation,
            credits_charged=operation.price.credits(body) if operation.price else 0,
            created_at=self.clock.now(),
            duration=self.settings.durations.get(operation.resource, usual),
            is_free=not operation.charges,
            inputs=inputs,
            clip=None if isinstance(verdict, JobError) else verdict,
            planned_error=verdict if isinstance(verdict, JobError) else None,
        )
        if operation.charges:
            self._charge(job)
        self._apply_job_fault(job, operation.name)
        self.jobs.add(job)
        self.webhooks.follow(job)
        return job

    def upload_slots(self, body: Json) -> Json:
        """Upload URLs, in the requested order."""
        return {"items": [self._upload_slot(item["type"], item["extension"]) for item in body["items"]]}

    def describe(self, job: Job) -> Json:
        """A job as its GET returns it, with fresh download URLs if it is complete."""
        places = [self._place(job, index) for index in range(job.count)] if job.status == "complete" else []
        known, wanted = describe(job, places), self._job_fields.get(job.kind)
        return {name: value for name, value in known.items() if name in wanted} if wanted else known

    def delete(self, job_id: str, kind: str) -> bool:
        """Delete a project; False if there is none. May wait a moment for a rendering to end."""
        job = self.jobs.find(job_id, kind)
        if job is None or not self.jobs.move(job, "deleted"):
            return False
        self.outputs.discard(job)
        return True

    def fail_next(self, error: JobError, resource: str | None = None, times: int = 1) -> None:
        """Let the next accepted creates, of one resource or of any, end with an error."""
        creates = {each.resource: each.name for each in self.contract.operations if each.step == "create"}
        if resource is not None and resource not in creates:
            raise ValueError(f"no such resource: {resource!r}; there are {', '.join(creates)}")
        on = creates[resource] if resource else "create"
        self.faults.add("job_error", on=on, times=times, code=error.code, message=error.message)

    def reset(self) -> None:
        """Go back to the initial state: no jobs, no files, the opening balance, the first id."""
        self.jobs.clear()
        self.webhooks.clear()
        self.ledger.clear()
        self.recorder.clear()
        self.uploads.clear()
        self.outputs.clear()
        self.readings.clear()
        self.ids.reset()
        self.clock.reset()
        self.faults.reset()
        self.resets += 1

    def close(self) -> None:
        """End running renderings, event streams, deliveries, and everything that a fault delays."""
        self.courier.close()
        self.faults.clear()
        self.viewers.close()
        for job in self.jobs.all():
            job.abandoned.set()

    def _charge(self, job: Job) -> None:
        entry = Create(job.id, job.resource, job.name, job.credits_charged, job.created_at)
        if not self.ledger.charge(entry):
            shortfall = f"this job costs {job.credits_charged} credits, {self.ledger.balance} are left"
            raise Refusal(402, "insufficient_credits", f"Not enough credits: {shortfall}")

    def _apply_job_fault(self, job: Job, operation: str) -> None:
        hit = self.faults.strike(Target(operation, "create"), job=True)
        if hit is None:
            return
        hit.happened()
        if hit.fault.kind == "job_error":
            job.planned_error = JobError(hit.fault["code"], hit.fault["message"])
        elif hit.fault.kind == "job_canceled":
            self.jobs.move(job, "canceled")
        else:
            self.jobs.hold(job, hit.fault["status"])

    def _upload_slot(self, type: str, extension: str) -> Json:
        file_path = self.uploads.issue(type, extension)
        url, expires = self.signer.sign(self.storage_url, "PUT", f"/{file_path}", _UPLOAD_SECONDS)
        return {"upload_url": url, "expires_at": timestamp(expires), "file_path": file_path}

    def _place(self, job: Job, index: int) -> Json:
        path = output_path(job, index)
        url, expires = self.signer.sign(self.storage_url, "GET", path, DOWNLOAD_SECONDS)
        return {"path": path.removeprefix("/"), "url": url, "expires_at": timestamp(expires)}

    def _render(self, job: Job, index: int, target: Path) -> None:
        RENDERERS[job.media](job, index, target, self.settings.seed)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
