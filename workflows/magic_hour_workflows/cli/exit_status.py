"""How a command ends when something went wrong: the exit code, and the words.

Rule: one readable paragraph, in the words of the command line; and where a job may be paid for, the command that
picks it up again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs

from magic_hour_client.errors import Argument, FieldDeprecated

from .._results import Job
from ..errors import ConnectionFailed, InvalidArgument, JobError, MagicHourError, Resume, SubmissionUnknown
from .flags import Flag
from .signals import Terminated

FAILED = 1
USAGE = 2
JOB_FAILED = 3
SUBMISSION_UNKNOWN = 4
TIMED_OUT = 124
HUNG_UP = 129
INTERRUPTED = 130
TERMINATED = 143

EXIT_CODES = {
    0: "done",
    FAILED: "failed; the message says whether a job was accepted before",
    USAGE: "wrong usage; nothing was uploaded or charged",
    JOB_FAILED: "the job failed or was canceled; of a batch: some rows are not saved",
    SUBMISSION_UNKNOWN: "nobody knows whether the job was accepted; it is not sent twice",
    TIMED_OUT: "not done in time; a job that was accepted goes on",
    HUNG_UP: "the terminal was closed (SIGHUP); a job that was accepted goes on",
    INTERRUPTED: "interrupted with Ctrl-C; a job that was accepted goes on",
    TERMINATED: "ended from outside (SIGTERM); a job that was accepted goes on",
}
"""In every help text and in the documentation."""

_DETAILS = ("project_id", "kind", "status", "code", "name", "retry_after", "field", "credits_charged", "operation")
_OPTIONS = {
    "token": "MAGIC_HOUR_API_KEY",
    "download_directory": "--output",
    "output_name": "--output",
    "id": "ID",
    "file": "FILE",
    "manifest": "MANIFEST",
    "key": "KEY",
    "project_id": "--project",
}
_SETTINGS = (
    *("timeout", "poll_interval", "base_url", "allow_http", "extra_body", "role"),
    *("database", "endpoint", "output", "concurrency", "rate", "max_credits"),
)
_REMEDIES = {"token": "set MAGIC_HOUR_API_KEY to the key alone, without `Bearer`, spaces or line breaks"}
"""What to do about an argument that has no option."""
_NAME = re.compile(r"`([^`]+)`")


class OwnEnd(Exception):
    """An end of the command line's own: nothing is left to say about a job."""


class WrongUsage(OwnEnd):
    """What was typed is no command, or lacks something."""


class NotPrinted(OwnEnd):
    """The command did its work, and its result could not be written to stdout."""


def not_printed(error: OSError, lines: Sequence[str]) -> NotPrinted:
    """What to raise when a result cannot be written: it says the result."""
    result = f"; it is: {', '.join(lines)}" if lines else ""
    return NotPrinted(f"the result could not be printed ({error.strerror}){result}")


@attrs.frozen(kw_only=True)
class Known:
    """What a command knows when it ends.

    Attributes:
        job: the job that was accepted.
        unknown: the submission of which nobody knows what became.
        resume: the command that picks the job up.
        flags: those of the command, to name them instead of the fields behind them.
        submits: whether the command was there to submit a job.
        address: the service that was spoken to.
    """

    job: Job | None = None
    unknown: SubmissionUnknown | None = None
    resume: str | None = None
    flags: Sequence[Flag] = ()
    submits: bool = False
    address: str | None = None


def exit_code(error: BaseException, known: Known) -> int:
    """The exit code for what ended a command."""
    if known.unknown is not None:  # the doubt about money matters more than what caused it
        return SUBMISSION_UNKNOWN
    if isinstance(error, Terminated):
        return 128 + error.number
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, JobError):
        return JOB_FAILED
    if isinstance(error, WrongUsage) or (isinstance(error, InvalidArgument) and error.project_id is None):
        return USAGE
    return FAILED


def words(error: BaseException, known: Known) -> str:
    """What to tell a person."""
    text = _message(error, known)
    if known.job is not None and known.resume is not None and not isinstance(error, MagicHourError):
        # Our own errors say it themselves where there is something to pick up.
        text = f"{text}. The {known.job.kind} job {known.job.shown_id} was accepted; pick it up with: {known.resume}"
    if isinstance(error, ConnectionFailed) and not error.sent and known.address:
        here = "; is the emulator running? (magic-hour emulator)" if "://127.0.0.1" in known.address else ""
        text = f"{text}, at {known.address}{here}"
    if saved := getattr(error, "downloaded_paths", None):
        text = f"{text.rstrip('.')}. Saved before that: {', '.join(map(str, saved))}"
    return text


def deprecation(notice: FieldDeprecated, flags: Sequence[Flag]) -> str:
    """What to tell a person who used something that the service has retired."""
    what = option(notice.field, flags) + ("" if notice.value is None else f" {notice.value}")
    # The contract puts names of fields in backticks.
    remedy = _NAME.sub(lambda found: option(found[1], flags), notice.remedy)
    return f"{what} is deprecated: {remedy}"


def option(field: str, flags: Sequence[Flag]) -> str:
    """What a person types for a field."""
    known = {flag.field: flag.flag for flag in flags}
    plain = field.partition("[")[0]
    if plain in known:
        return known[plain]
    dashed = f"--{field.replace('_', '-')}" if field in _SETTINGS else f"`{field}`"
    return _OPTIONS.get(field, dashed)


def as_json(error: BaseException, text: str, known: Known) -> dict[str, Any]:
    """The same for programs."""
    about = known.unknown or error
    name = "Interrupted" if isinstance(about, KeyboardInterrupt) else type(about).__name__
    told: dict[str, Any] = {"type": name, "message": text, "exit_code": exit_code(error, known)}
    told |= {name: value for name in _DETAILS if (value := getattr(about, name, None)) is not None}
    if known.unknown is not None:
        told["submitted_at"] = known.unknown.submitted_at.isoformat()
    if known.job is not None:
        told |= {"project_id": known.job.id, "kind": known.job.kind}
        if exit_code(error, known) != JOB_FAILED:  # nothing is left to pick up
            told["resume"] = known.resume
    if mistakes := getattr(error, "mistakes", None):
        told["mistakes"] = [attrs.asdict(mistake) for mistake in mistakes]
    if saved := getattr(error, "downloaded_paths", None):
        told["downloaded_paths"] = [str(path) for path in saved]
    return {"error": told}


def _message(error: BaseException, known: Known) -> str:
    if isinstance(error, KeyboardInterrupt):
        how = "ended from outside" if isinstance(error, Terminated) else "interrupted"
        if known.unknown is not None:
            return f"{how}; {known.unknown}"
        return f"{how}; nothing was submitted or charged" if known.submits and known.job is None else how
    if isinstance(error, InvalidArgument) and (mistakes := getattr(error, "mistakes", None)):
        return "\n".join([error.problem, *(f"  {mistake}" for mistake in mistakes)])  # `str` has the first ones
    if isinstance(error, InvalidArgument) and error.field in _REMEDIES:
        return f"{option(error.field, known.flags)}: {error.problem}; {_REMEDIES[error.field]}"
    if isinstance(error, MagicHourError):
        return error.describe(partial(_typed, known=known))
    if isinstance(error, OwnEnd):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}"
    return f"unexpected {type(error).__name__}: {error}; --debug shows where"


def _typed(piece: object, known: Known) -> str:
    """A piece of a message in the words of the command line."""
    match piece:
        case Argument(name=name):
            return option(name, known.flags)
        case Resume() if known.resume is not None:
            return f"pick it up with: {known.resume}"
        case _:
            return str(piece)
