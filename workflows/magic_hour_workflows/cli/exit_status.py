"""How a command ends when something went wrong: the exit code, and the words.

Rule: one readable paragraph, in the words of the command line; and where a job may be paid for, the command that
picks it up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from .._results import Job
from ..errors import ConnectionFailed, InvalidArgument, JobError, MagicHourError, SubmissionUnknown
from .catalog import Flag
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
_IN_PYTHON = {
    "allow_http=True": "--allow-http",
    "pass token=... or set": "set",
    "(`extra_body` sends": "(--extra-body sends",
}
"""What messages of the library say for people who write Python."""


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
    if known.job is not None and known.resume is not None:
        command = f"pick it up with: {known.resume}"
        text = text.replace(known.job.resume_hint, command)
        if not isinstance(error, MagicHourError):  # those say it themselves where there is something to pick up
            text = f"{text.rstrip('.')}. The {known.job.kind} job {known.job.shown_id} was accepted; {command}"
    if mistakes := getattr(error, "mistakes", None):
        text = "\n".join([text.partition("\n")[0], *(f"  {mistake}" for mistake in mistakes)])
    elif isinstance(error, InvalidArgument):
        text = as_typed(text, error.field, known.flags)
    if isinstance(error, ConnectionFailed) and not error.sent and known.address:
        here = "; is the emulator running? (magic-hour emulator)" if "://127.0.0.1" in known.address else ""
        text = f"{text}, at {known.address}{here}"
    if saved := getattr(error, "downloaded_paths", None):
        text = f"{text.rstrip('.')}. Saved before that: {', '.join(map(str, saved))}"
    return text


def as_typed(text: str, field: str | None, flags: Sequence[Flag] = ()) -> str:
    """A message of the library in the words of the command line: options in place of fields."""
    for name in [*([field] if field else []), *(flag.field for flag in flags)]:
        text = text.replace(f"`{name}`", option(name, flags))
    for python, typed in _IN_PYTHON.items():
        text = text.replace(python, typed)
    return text


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
    if isinstance(error, (MagicHourError, OwnEnd)):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}"
    return f"unexpected {type(error).__name__}: {error}; --debug shows where"
