"""What every step of one call shares: its port, its deadline, its listener, and how it repeats what failed.

Rule: one deadline for the whole call, however many attempts are made in it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import attrs

from magic_hour_client.errors import MagicHourError

from .._retry import Backoff, may_repeat

if TYPE_CHECKING:
    from datetime import datetime

    from magic_hour_client._runtime.send_trace import SendTrace
    from magic_hour_client.types import Request

    from .._backend import Backend, BeforeSending
    from .._job_log.entries import Entry
    from .._job_log.log import JobLog
    from .._results import Job
    from ..errors import SubmissionUnknown
    from ..events import Event
    from ..webhooks import Inbox

T = TypeVar("T")
logger: logging.Logger = logging.getLogger("magic_hour_workflows")

TRIES_BEFORE_CHARGE = 5
"""Attempts at a step before anything is paid for: an early error is better than a long, useless wait."""
LAST_ATTEMPT_SECONDS = 1.0
LAST_ATTEMPT_SHARE = 0.1
"""How long before the deadline the last attempt at anything is made: a second, or a tenth of a shorter timeout."""
STALLED_SECONDS = 300.0
"""What makes no progress for this long is given up, although its job is paid for: outputs stay available, and can be
fetched by the id. Five times as long as storage may be silent within one attempt."""
ATTEMPT_SECONDS = 60.0
"""How long one attempt at an API call that can be repeated may take."""


class Attempt(NamedTuple):
    """One attempt to send a paid request. `trace` records whether a byte went out, and what the answer was."""

    request: Request[Any]
    submitted_at: datetime
    trace: SendTrace


class Submission:
    """What is known about the paid request of a call; made with the call, before anything could interrupt it."""

    def __init__(self) -> None:
        self.attempt: Attempt | None = None
        """The last one."""
        self.settled: bool = False
        """Whether its outcome was reported: the id, that it was refused, or that it is unknown."""
        self.announcements: int = 0
        """How often the listener was called with the id, counting calls that were interrupted."""
        self.unknown: SubmissionUnknown | None = None
        """The error for an unknown outcome; kept, because the exception that carries it may be replaced."""
        self.job: Job | None = None
        """The job, once it is accepted."""
        self.entry: Entry | None = None
        """What the job log has about it, or will have."""
        self.entry_added: bool = False
        """Whether the job log has the entry."""
        self.followed: bool = False
        """Whether the call waits for the job."""
        self.balance: float | None = None
        """The balance of the account before the create, if it was asked for and is known."""

    def begin(self, attempt: Attempt) -> None:
        self.attempt, self.settled, self.unknown = attempt, False, None


@attrs.define
class Call:
    """One call by the user, from its beginning to its deadline. Its time starts when it is made."""

    backend: Backend
    timeout: float
    poll_interval: float | None = None
    on_progress: Callable[[Event], object] | None = None
    allow_http: bool = False
    tries: int | None = TRIES_BEFORE_CHARGE
    """Attempts at a step; None for as many as fit before the deadline, once the job is paid for."""
    before_sending: BeforeSending | None = None
    """Called before each attempt at a paid create, directly before its first byte; raises if it must not be sent."""
    job_log: JobLog | None = None
    """Where the submission is recorded."""
    inbox: Inbox | None = None
    """Where webhook events arrive, which say when to poll."""
    check_balance: bool = False
    """Whether to ask for the balance before a create, and after one without an answer."""
    submission: Submission = attrs.field(factory=Submission)
    deadline: float = attrs.field(default=0.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.deadline = self.deadline or self.backend.now() + self.timeout

    def paid(self) -> Call:
        """The same call after the job was accepted: from now on only the deadline ends it."""
        return attrs.evolve(self, tries=None)

    def left(self) -> float:
        """Seconds until the deadline, never less than 0."""
        return max(0.0, self.deadline - self.backend.now())

    def room(self, reserve: float = 0.0) -> float:
        """Seconds that may pass in a sleep, so that there is time for a last attempt before the deadline.

        Args:
            reserve: seconds the last attempt needs, if that is more than usual.
        """
        return self.left() - max(reserve, min(LAST_ATTEMPT_SECONDS, LAST_ATTEMPT_SHARE * self.timeout))

    def attempt_deadline(self, seconds: float = ATTEMPT_SECONDS) -> float:
        """The instant at which one attempt has to end."""
        return min(self.deadline, self.backend.now() + seconds)

    def emit(self, event: Event) -> None:
        """Call the listener; if it raises, that is logged and the call continues."""
        if self.on_progress is None:
            return
        try:
            self.on_progress(event)
        except Exception:
            logger.exception("on_progress raised for %s; the call continues", type(event).__name__)

    async def repeat(
        self,
        step: str,
        attempt: Callable[[], Awaitable[T]],
        *,
        again: Callable[[Exception], bool] = may_repeat,
        progress: Callable[[], int] | None = None,
        reserve: float = 0.0,
    ) -> T:
        """The result of `attempt`, repeated while `again` allows it and attempts and time are left.

        Args:
            step: what is being done, for messages.
            attempt: does it once.
            again: whether a failure may be temporary.
            progress: how far the work has come; when it advances, the count of attempts starts over. After five
                minutes without progress, it is given up.
            reserve: seconds an attempt needs at least, if that is more than usual.
        """
        backoff = Backoff()
        furthest = progress() if progress else 0
        moved_at = self.backend.now()
        while True:
            try:
                return await attempt()
            except MagicHourError as error:
                if progress and progress() > furthest:
                    furthest, moved_at = progress(), self.backend.now()
                    backoff.made_progress()
                stalled = progress is not None and self.backend.now() - moved_at >= STALLED_SECONDS
                delay = backoff.delay(error, self.backend.random())
                out_of_tries = self.tries is not None and backoff.failures >= self.tries
                room = self.room(reserve)
                if not again(error) or out_of_tries or stalled or room <= (getattr(error, "retry_after", None) or 0.0):
                    raise
                delay = min(delay, room)  # a last attempt shortly before the deadline
                reason = str(error)
            from ..events import Retrying

            logger.info("%s failed, attempt %d in %.1f s: %s", step, backoff.failures + 1, delay, reason)
            self.emit(Retrying(step=step, reason=reason, attempt=backoff.failures, delay=delay))
            await self.backend.sleep(delay)
