"""One run of a command: its settings, the job it works on, what it prints, how it ends.

Rule: stdout holds only results; as JSON, exactly one object per command, also when it fails. Only batches, which take
hours, print one object per line as they run.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shlex
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs

from magic_hour_client._runtime.redaction import escaped, without_secrets
from magic_hour_client._runtime.settings import KEY_VARIABLE
from magic_hour_client.endpoints import JOBS
from magic_hour_client.errors import FieldDeprecated

from .._formatting import reason, shown
from .._results import Job, Kind
from .._settings import JOB_LOG_VARIABLE, NO_JOB_LOG
from ..errors import MagicHourError, SubmissionUnknown
from ..events import Created, Event, SubmissionLost
from . import exit_status, signals
from .flags import Flag
from .printing import Formatter, show_progress, to_stderr, to_stdout

if TYPE_CHECKING:
    from .._client import Client


@attrs.define(kw_only=True)
class Terminal:
    """The settings and the state of one command."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    base_url: str | None = None
    allow_http: bool = False
    job_log: str | None = None
    """The file for the job log, or `none`; None for what the variable says, or else the usual file."""
    max_credits: float | None = None
    assume_credits: float | None = None
    """What may be spent, and what to count if a price is unknown."""
    check_balance: bool = False
    """Whether to ask for the balance around a submission."""
    flags: Sequence[Flag] = ()
    """The flags behind the fields that errors may name."""
    submits: bool = False
    """Whether the command submits a job."""
    resume_options: Sequence[str] = ()
    """More options for the command that resumes the job."""
    job: Job | None = None
    """The job, once one is accepted or given."""
    unknown: SubmissionUnknown | None = None
    """The submission of which it is unknown whether it was accepted."""
    address: str | None = None
    """The address of the service, once it is known."""
    _printed: bool = False

    def client(self) -> Client:
        """A client with the settings of the options and the environment."""
        from .._client import Client

        log = job_log_place(self.job_log)
        if log is True and self.submits and self.max_credits is None and (why := unusable_default()):
            self.say(f"magic-hour: submitted jobs are not recorded ({why}); --job-log sets another file, or none")
            log = False
        client = Client(
            base_url=self.base_url,
            allow_http=self.allow_http,
            job_log=log,
            max_credits=self.max_credits,
            assume_credits=self.assume_credits,
            check_balance=self.check_balance,
        )
        self.address = client.base_url
        return client

    @contextmanager
    def progress(self) -> Iterator[Callable[[Event], None]]:
        """A listener that shows events and remembers the job, since exceptions may be replaced on their way."""
        with show_progress(self.resume, quiet=self.quiet) as show:

            def listen(event: Event) -> None:
                if isinstance(event, Created):
                    self.job = Job(event.kind, event.id, event.credits_charged, event.name)
                if isinstance(event, SubmissionLost):
                    self.unknown = SubmissionUnknown(**attrs.asdict(event))
                show(event)

            yield listen

    def resume(self, kind: str, id: str) -> str | None:
        """The command that resumes a job; None for a task, which costs nothing to repeat."""
        if JOBS[kind].is_task:
            return None
        where = ["--base-url", self.base_url] if self.base_url else []
        open_http = ["--allow-http"] if self.allow_http else []
        log = ["--job-log", self.job_log] if self.job_log else []
        return escaped(shlex.join(["magic-hour", kind, "wait", id, *self.resume_options, *log, *where, *open_http]))

    @contextmanager
    def with_job(self, kind: Kind, id: str, resume_options: Sequence[str] = ()) -> Iterator[None]:
        """Errors in the block are about this job, which exists already."""
        before = (self.job, self.resume_options, self.submits)
        self.job, self.resume_options, self.submits = Job(kind, id), resume_options, False
        yield
        self.job, self.resume_options, self.submits = before

    def say(self, text: str) -> None:
        """Print something on stderr, unless `--quiet`."""
        if not self.quiet:
            to_stderr(text)

    def result(self, data: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Print the result: the data as JSON, or else the lines.

        Raises:
            ResultNotPrinted: it cannot be written.
        """
        self._printed = True
        if not (self.json or lines):
            return
        self._print(_json(_shown(data)) if self.json else without_secrets("\n".join(lines)), lines)

    def contract(self, data: Mapping[str, Any]) -> None:
        """Print a part of the contract as JSON, whole: it has no secrets, and its references look like fragments.

        Raises:
            ResultNotPrinted: it cannot be written.
        """
        self.json = self._printed = True
        self._print(_json(data))

    def event(self, data: Mapping[str, Any]) -> None:
        """Print an intermediate result, for programs."""
        if self.json:
            self._print(_json(_shown(data)))

    def _print(self, text: str, lines: Sequence[str] = ()) -> None:
        try:
            to_stdout(text)
        except OSError as error:
            raise exit_status.ResultNotPrinted(error, lines) from None

    def run(self, work: Callable[[], object]) -> int:
        """Do the work; returns the exit code, its own if it has one. Every error is reported, none is raised."""
        try:
            with self._logging(), self._deprecations():
                code = work()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (every error is reported here)
            with signals.held_back():
                return self.fail(error)
        return code if isinstance(code, int) else 0

    def fail(self, error: BaseException) -> int:
        context = self._context(error)
        text = exit_status.message(error, context)
        if self.debug:
            to_stderr("".join(traceback.format_exception(error)).rstrip())
        to_stderr(f"magic-hour: {text}")
        if self.json and not self._printed:
            with suppress(exit_status.ResultNotPrinted):
                self.result(exit_status.error_json(error, text, context), [])
        return exit_status.exit_code(error, context)

    def _context(self, error: BaseException) -> exit_status.ErrorContext:
        job = self.job
        if isinstance(error, exit_status.CLIError) or (isinstance(error, MagicHourError) and error.project_id is None):
            job = None  # it went wrong before there was one, or there is none with this id
        found = error if isinstance(error, SubmissionUnknown) else getattr(error, "submission_unknown", None)
        return exit_status.ErrorContext(
            job=job,
            unknown=found or self.unknown,  # a command submits once: there is a doubt or a job, never both
            resume=None if job is None else self.resume(job.kind, job.id),
            flags=self.flags,
            submits=self.submits,
            address=self.address,
        )

    @contextmanager
    def _logging(self) -> Iterator[None]:
        """Log to stderr with `--verbose`, else nowhere: what matters is printed anyway."""
        logger = logging.getLogger("magic_hour_workflows")
        handler: logging.Handler = logging.StreamHandler() if self.verbose else logging.NullHandler()
        handler.setFormatter(Formatter("%(levelname)s %(message)s"))
        level = logger.level
        logger.addHandler(handler)
        if self.verbose:
            logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)

    @contextmanager
    def _deprecations(self) -> Iterator[None]:
        """Report each use of something that the service has retired once, in one line."""
        shown: set[str] = set()

        def show(message: Warning | str, *rest: Any, **more: Any) -> None:
            if isinstance(message, FieldDeprecated):
                text = exit_status.deprecation(message, self.flags)
                if text not in shown:
                    shown.add(text)
                    self.say(f"magic-hour: {text}")

        with warnings.catch_warnings():
            warnings.simplefilter("always", FieldDeprecated)
            warnings.showwarning = show
            yield


def key_if_any() -> str:
    """The API key, or a placeholder: for what sends nothing, and so needs none."""
    return os.environ.get(KEY_VARIABLE) or "no-key-is-sent"


def job_log_place(option: str | None) -> str | bool | None:
    """What `--job-log` and its variable mean to a client: without both, the usual file."""
    if option is not None:
        return option if option.lower() != NO_JOB_LOG else False
    return None if os.environ.get(JOB_LOG_VARIABLE) else True


def unusable_default() -> str | None:
    """Why the usual file for the job log cannot be written; None if it can. Nothing is created."""
    from .._job_log.log import default_place

    place = default_place()
    for path in (place, *place.parents):
        try:
            path.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{shown(path)}: {reason(error)}"
        return None if os.access(path, os.W_OK) else f"{shown(path)} is not writable"
    return f"{shown(place)}: not found"


def projects_of(client: Client, kind: Kind) -> Any:
    """The client's resource for jobs of a kind."""
    return attrgetter(JOBS[kind].resource)(client)


def _json(data: Mapping[str, Any]) -> str:
    """The object in ASCII, so that every locale can print it, and without NaN, so that every program can read it."""
    return json.dumps(data, default=str, allow_nan=False)


def _shown(value: Any) -> Any:
    """`value` without secrets, string by string, so that a URL in one does not affect the others; and with None for
    the numbers that JSON does not have, which the service may have sent anyway.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_shown(key): _shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    if value is None or isinstance(value, int):
        return value
    return without_secrets(value if isinstance(value, str) else str(value))
