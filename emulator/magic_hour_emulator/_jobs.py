"""The jobs and their states.

Rule: `NEXT` is the whole state machine. Every change of status goes through `Jobs.move`, which refuses what the table
does not allow; only `hold`, for tests, may put an unfinished job back. A job that ends in `error` is refunded in the
same step.
"""

import random
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ._clock import Clock
from ._emulation import EXTENSIONS, Emulation
from ._ledger import Ledger
from ._prices import dig

__all__ = ["NEXT", "UNFINISHED", "Abandoned", "Clip", "Ids", "Job", "JobError", "Jobs", "Source", "Status"]

Status = Literal["draft", "queued", "rendering", "complete", "error", "canceled", "deleted"]

NEXT: Final[dict[Status, frozenset[Status]]] = {
    "draft": frozenset({"queued", "deleted"}),
    "queued": frozenset({"rendering", "error", "canceled", "deleted"}),
    "rendering": frozenset({"complete", "error", "canceled", "deleted"}),
    "complete": frozenset({"deleted"}),
    "error": frozenset({"deleted"}),
    "canceled": frozenset({"deleted"}),
    "deleted": frozenset(),
}
UNFINISHED: Final[tuple[Status, ...]] = ("draft", "queued", "rendering")

# The share of its duration that a job spends in the queue; the emulator's own choice.
_QUEUED_SHARE: Final = 0.2
_ID_ALPHABET: Final = string.ascii_lowercase + string.digits


class Ids:
    """A seeded sequence of ids like the service's (cuid): `c` and 24 lower-case letters and digits."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def next(self) -> str:
        """A new id."""
        with self._lock:
            return "c" + "".join(self._random.choices(_ID_ALPHABET, k=24))

    def reset(self) -> None:
        """Start the sequence again."""
        with self._lock:
            self._random = random.Random(self._seed)


class Abandoned(Exception):
    """Nobody needs this output any more: its job was deleted, or the emulator is stopping."""


@dataclass(frozen=True)
class JobError:
    """Why a job failed, as in `error` of a project."""

    code: str
    message: str


@dataclass(frozen=True)
class Source:
    """An input file: an `image`, a `video` or `audio`. Without a path it is shown as a placeholder with this label.

    `endless` sound and video is repeated. A video that `may_be_gif` may also be an animated picture. Start and end of a
    clip are about an input that is not `just_shown`.
    """

    label: str
    role: str
    path: Path | None = None
    endless: bool = False
    may_be_gif: bool = False
    just_shown: bool = False


@dataclass(frozen=True)
class Clip:
    """The part of its input that a video or GIF covers, and its format."""

    start_seconds: float
    end_seconds: float
    width: int
    height: int
    fps: int


@dataclass
class Job:
    """One accepted create and its state. Times in seconds since 1970, `duration` in seconds.

    `emulation` is the row of its operation. A free job is not in the ledger. `lock` is held while an output is
    rendered; `abandoned` ends the rendering early.
    """

    id: str
    kind: str
    resource: str
    name: str | None
    body: dict[str, Any]
    emulation: Emulation
    credits_charged: int
    created_at: float
    duration: float
    is_free: bool = False
    inputs: tuple[Source, ...] = ()
    clip: Clip | None = None
    planned_error: JobError | None = None
    status: Status = "queued"
    error: JobError | None = None
    polls: int = 0
    held: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    abandoned: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def type(self) -> str:
        """The type of the project, such as `AI_IMAGE`."""
        return self.emulation.type

    @property
    def media(self) -> str:
        """The media type of its outputs."""
        return self.emulation.medium(self.body)

    @property
    def extension(self) -> str:
        """The extension of its outputs."""
        return EXTENSIONS[self.media]

    @property
    def count(self) -> int:
        """The number of its outputs."""
        return self.emulation.outputs_of(self.body)

    @property
    def prompt(self) -> str:
        """The text that its outputs show; empty if there is none."""
        return str(dig(self.body, self.emulation.prompt) or "")

    def inputs_of(self, *roles: str) -> list[Source]:
        """The inputs with one of these roles, in the order of the body."""
        return [source for source in self.inputs if source.role in roles]


class Jobs:
    """All jobs. They progress as time passes or, with `polls_to_complete`, with each poll."""

    def __init__(self, clock: Clock, ledger: Ledger, polls_to_complete: int | None) -> None:
        if polls_to_complete is not None and polls_to_complete < 1:
            raise ValueError(f"polls_to_complete must be 1 or more, not {polls_to_complete}")
        self._clock = clock
        self._ledger = ledger
        self._polls_to_complete = polls_to_complete
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self.listeners: list[Callable[[Job], None]] = []
        """Called with each job whose status has changed."""

    def add(self, job: Job) -> None:
        """Add a job that was just accepted."""
        with self._lock:
            self._jobs[job.id] = job

    def find(self, job_id: str, kind: str | None = None) -> Job | None:
        """The job in its current state; None if it is unknown, deleted or of another kind."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job.status == "deleted" or kind not in (None, job.kind):
                return None
            self._advance(job)
            return job

    def poll(self, job_id: str, kind: str) -> Job | None:
        """Like `find`, and count it as a poll."""
        with self._lock:
            known = self._jobs.get(job_id)
            if known is not None and known.kind == kind:
                known.polls += 1
            return self.find(job_id, kind)

    def all(self) -> list[Job]:
        """Every job that is not deleted, oldest first, in its current state."""
        with self._lock:
            return [job for job_id in list(self._jobs) if (job := self.find(job_id)) is not None]

    def move(self, job: Job, status: Status, error: JobError | None = None) -> bool:
        """Change the status of a job; False if the state table forbids it. An error refunds the credits."""
        with self._lock:
            if status not in NEXT[job.status]:
                return False
            job.status = status
            if status == "error":
                job.error = error
                if not job.is_free:
                    self._ledger.refund(job.id, job.credits_charged, self._clock.now())
                job.credits_charged = 0
            self._report(job)
            return True

    def hold(self, job: Job, status: Status) -> bool:
        """Put an unfinished job into an unfinished status and keep it there, however much time passes."""
        with self._lock:
            if job.status not in UNFINISHED or status not in UNFINISHED:
                return False
            changes, job.status, job.held = job.status != status, status, True
            if changes:
                self._report(job)
            return True

    def due(self, job: Job) -> float | None:
        """When the job will move by itself; None if it will not."""
        if job.held or self._polls_to_complete is not None or job.status not in ("queued", "rendering"):
            return None
        return job.created_at + (_QUEUED_SHARE if job.status == "queued" else 1.0) * job.duration

    def clear(self) -> None:
        """Forget all jobs."""
        with self._lock:
            self._jobs.clear()

    def _report(self, job: Job) -> None:
        for listener in self.listeners:
            listener(job)

    def _advance(self, job: Job) -> None:
        if job.held:
            return
        progress = self._progress(job)
        if progress >= _QUEUED_SHARE and job.status == "queued":
            self.move(job, "rendering")
        if progress >= 1 and job.status == "rendering":
            self.move(job, "error" if job.planned_error else "complete", job.planned_error)

    def _progress(self, job: Job) -> float:
        needed = self._polls_to_complete
        if needed is not None:
            return 1.0 if job.polls >= needed else max(job.polls - 1, 0) / max(needed - 1, 1)
        return (self._clock.now() - job.created_at) / job.duration if job.duration > 0 else 1.0
