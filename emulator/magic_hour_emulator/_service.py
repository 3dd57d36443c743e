"""The service without its network side: what a request does to jobs, ledger and files.

Rule: a create is accepted here and nowhere else. Everything before the charge may refuse it; nothing after it may.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ._clock import Clock, timestamp
from ._contract import Contract, Json, Operation
from ._fault_schedule import FaultSchedule, operation_steps
from ._inputs import Inputs
from ._jobs import Ids, Job, JobError, Jobs
from ._ledger import Create, Ledger
from ._products import PRODUCTS
from ._recorder import Recorder
from ._request_checks import Refusal
from ._stored_files import Outputs, Signer, Uploads, output_path
from .faults import Target

__all__ = ["DURATIONS", "REALISTIC_DURATIONS", "Service", "Settings"]

DURATIONS: Final = {resource: product.seconds for resource, product in PRODUCTS.items()}
REALISTIC_DURATIONS: Final = {resource: product.median_seconds for resource, product in PRODUCTS.items()}
UPLOAD_SECONDS: Final = 3600.0
# spec/: download URLs are valid for 24 hours.
DOWNLOAD_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True)
class Settings:
    """How an emulator behaves; `Emulator` documents every field."""

    token: str
    credits: int
    seed: int
    speed: float
    frozen: bool
    polls_to_complete: int | None
    durations: Mapping[str, float]
    allowed_hosts: frozenset[str] = frozenset()


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
        self.faults = FaultSchedule(self.clock, settings.seed, operation_steps(self.contract))
        self.signer = Signer(self.clock)
        self.jobs = Jobs(self.clock, self.ledger, settings.polls_to_complete)
        self.uploads = Uploads(_folder(self.directory, "uploads"), self.clock, self.ids)
        self.outputs = Outputs(_folder(self.directory, "outputs"), self._render)
        self._inputs = Inputs(
            self.uploads, self.jobs, self.outputs, self.signer, self.contract.example_assets, lambda: self.storage_url
        )

    def accept(self, operation: Operation, body: Json) -> Job:
        """Accept a create that matches its schema: check the rest, charge, start the job. Slow: decodes the inputs."""
        product = PRODUCTS[operation.resource]
        problem = product.problem(body)
        if problem:
            raise Refusal(422, "unprocessable_entity", problem)
        sources = self._inputs.resolve(operation, body)
        pictures, sounds = sources.get("image", ()), sources.get("audio", ())
        verdict = product.inspect(body, pictures, sounds[0] if sounds else None)
        job = Job(
            id=self.ids.next(),
            kind=operation.kind or "image",
            type=product.type,
            resource=operation.resource,
            name=body.get("name"),
            body=body,
            count=product.count(body),
            extension=product.extension,
            credits_charged=operation.price.credits(body) if operation.price else 0,
            created_at=self.clock.now(),
            duration=self.settings.durations[operation.resource],
            pictures=pictures,
            sound=sounds[0] if sounds else None,
            clip=None if isinstance(verdict, JobError) else verdict,
            planned_error=verdict if isinstance(verdict, JobError) else None,
        )
        self._charge(job)
        self._apply_job_fault(job, operation.name)
        self.jobs.add(job)
        return job

    def upload_slots(self, body: Json) -> Json:
        """Upload URLs, in the requested order."""
        return {"items": [self._upload_slot(item["type"], item["extension"]) for item in body["items"]]}

    def describe(self, job: Job) -> Json:
        """A project as GET returns it, with fresh download URLs if it is complete."""
        downloads = [self._download(job, index) for index in range(job.count)] if job.status == "complete" else []
        shared: Json = {
            "id": job.id,
            "name": job.name,
            "status": job.status,
            "type": job.type,
            "created_at": timestamp(job.created_at),
            "enabled": True,
            "credits_charged": job.credits_charged,
            "total_frame_cost": job.credits_charged,
            "downloads": downloads,
            "error": {"message": job.error.message, "code": job.error.code} if job.error else None,
        }
        if job.kind == "image":
            return {**shared, "image_count": job.count}
        return {**shared, **_video_fields(job), "download": downloads[0] if downloads else None}

    def delete(self, job_id: str, kind: str) -> bool:
        """Delete a project; False if there is none. May wait a moment for a rendering to end."""
        job = self.jobs.find(job_id, kind)
        if job is None or not self.jobs.move(job, "deleted"):
            return False
        self.outputs.discard(job)
        return True

    def fail_next(self, error: JobError, resource: str | None = None, times: int = 1) -> None:
        """Let the next accepted creates, of one resource or of any, end with an error."""
        if resource is not None and resource not in PRODUCTS:
            raise ValueError(f"no such resource: {resource!r}; there are {', '.join(PRODUCTS)}")
        on = f"v1.{resource.replace('-', '_')}.create" if resource else "create"
        self.faults.add("job_error", on=on, times=times, code=error.code, message=error.message)

    def reset(self) -> None:
        """Go back to the initial state: no jobs, no files, the opening balance, the first id."""
        self.jobs.clear()
        self.ledger.clear()
        self.recorder.clear()
        self.uploads.clear()
        self.outputs.clear()
        self.ids.reset()
        self.clock.reset()
        self.faults.reset()

    def close(self) -> None:
        """End running renderings, and everything that a fault delays."""
        self.faults.clear()
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
        url, expires = self.signer.sign(self.storage_url, "PUT", f"/{file_path}", UPLOAD_SECONDS)
        return {"upload_url": url, "expires_at": timestamp(expires), "file_path": file_path}

    def _download(self, job: Job, index: int) -> Json:
        url, expires = self.signer.sign(self.storage_url, "GET", output_path(job, index), DOWNLOAD_SECONDS)
        return {"url": url, "expires_at": timestamp(expires)}

    def _render(self, job: Job, index: int, target: Path) -> None:
        PRODUCTS[job.resource].render(job, index, target, self.settings.seed)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def _video_fields(job: Job) -> Json:
    """Size, part and frame rate of a video; until it is complete, -1 and estimates, as on the service."""
    clip = job.clip
    if job.status != "complete" or clip is None:
        asked = {"start_seconds": job.body["start_seconds"], "end_seconds": job.body["end_seconds"]}
        return {"width": -1, "height": -1, "fps": 30.0, **asked}
    return {
        "width": clip.width,
        "height": clip.height,
        "fps": float(clip.fps),
        "start_seconds": clip.start_seconds,
        "end_seconds": clip.end_seconds,
    }
