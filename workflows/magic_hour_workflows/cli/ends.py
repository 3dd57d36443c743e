"""How a command ends when something went wrong: the exit code, and the words.

Rule: one readable paragraph, in the words of the command line; and where a job may be paid for, the command that
picks it up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InvalidArgument, JobError, MagicHourError, SubmissionUnknown
from ..results import Job
from .catalog import Flag

FAILED = 1
USAGE = 2
JOB_FAILED = 3
SUBMISSION_UNKNOWN = 4
TIMED_OUT = 124
INTERRUPTED = 130
TERMINATED = 143

EXIT_CODES = {
    0: "done",
    FAILED: "failed; the message says whether a job was accepted before",
    USAGE: "wrong usage; nothing was uploaded or charged",
    JOB_FAILED: "the job failed or was canceled",
    SUBMISSION_UNKNOWN: "nobody knows whether the job was accepted; it is not sent twice",
    TIMED_OUT: "not done in time; a job that was accepted goes on",
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
}
_SETTINGS = ("timeout", "poll_interval", "base_url", "allow_http", "extra_body", "role")
_IN_PYTHON = {
    "allow_http=True": "--allow-http",
    "pass token=... or set": "set",
    "(`extra_body` sends": "(--extra-body sends",
}
"""What messages of the library say for people who write Python."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM). Flows treat it as they treat Ctrl-C."""


def exit_code(error: BaseException) -> int:
    """The exit code for what ended a command."""
    if unknown_submission(error) is not None:  # the doubt about money matters more than what caused it
        return SUBMISSION_UNKNOWN
    if isinstance(error, KeyboardInterrupt):
        return TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, JobError):
        return JOB_FAILED
    if isinstance(error, InvalidArgument) and error.project_id is None:
        return USAGE
    return FAILED


def unknown_submission(error: BaseException) -> SubmissionUnknown | None:
    """The submission whose outcome nobody knows, also if Ctrl-C hit it."""
    found = error if isinstance(error, SubmissionUnknown) else getattr(error, "submission_unknown", None)
    return found if isinstance(found, SubmissionUnknown) else None


def words(error: BaseException, job: Job | None, resume: str | None, flags: Sequence[Flag] = ()) -> str:
    """What to tell a person.

    Args:
        error: what ended the command.
        job: the job that was accepted before, if any.
        resume: the command that picks it up.
        flags: those of the command, to name them instead of the fields behind them.
    """
    text = _message(error)
    if job is not None and resume is not None:
        command = f"pick it up with: {resume}"
        text = text.replace(job.resume_hint, command)
        if not isinstance(error, MagicHourError):  # those say it themselves where there is something to pick up
            text = f"{text.rstrip('.')}. The {job.kind} job {job.id} was accepted; {command}"
    if isinstance(error, InvalidArgument):
        text = as_typed(text, error.field, flags)
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


def as_json(error: BaseException, text: str, job: Job | None, resume: str | None) -> dict[str, Any]:
    """The same for programs."""
    unknown = unknown_submission(error)
    about = unknown or error
    told: dict[str, Any] = {"type": type(about).__name__, "message": text, "exit_code": exit_code(error)}
    told |= {name: value for name in _DETAILS if (value := getattr(about, name, None)) is not None}
    if unknown is not None:
        told["submitted_at"] = unknown.submitted_at.isoformat()
    if job is not None:
        told |= {"project_id": job.id, "kind": job.kind, "resume": resume}
    if saved := getattr(error, "downloaded_paths", None):
        told["downloaded_paths"] = [str(path) for path in saved]
    return {"error": told}


def _message(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        unknown = unknown_submission(error)
        how = "ended from outside" if isinstance(error, Terminated) else "interrupted"
        return f"{how}; {unknown}" if unknown is not None else how
    if isinstance(error, MagicHourError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}"
    return f"unexpected {type(error).__name__}: {error}; --debug shows where"
