"""How a command ends when something went wrong: the exit code and the message.

Rule: one readable paragraph, with options in place of Python arguments; and where a job may be paid for, the command
that resumes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs

from magic_hour_client.endpoints import JOBS
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
    0: "success",
    FAILED: "failed; the message says whether a job was accepted",
    USAGE: "wrong usage; nothing was uploaded or charged",
    JOB_FAILED: "the job failed or was canceled; in a batch: some rows are not saved",
    SUBMISSION_UNKNOWN: "it is unknown whether the job was accepted; it is not sent again",
    TIMED_OUT: "timed out; a job that was accepted keeps running",
    HUNG_UP: "the terminal was closed (SIGHUP); a job that was accepted keeps running",
    INTERRUPTED: "interrupted with Ctrl-C; a job that was accepted keeps running",
    TERMINATED: "terminated (SIGTERM); a job that was accepted keeps running",
}
"""In the help and in the documentation."""

_DETAILS = (
    "project_id",
    "kind",
    "status",
    "code",
    "name",
    "retry_after",
    "field",
    "credits_charged",
    "operation",
    "balance_before",
    "balance_after",
    "needed",
    "balance",
)
_OPTIONS = {
    "token": "MAGIC_HOUR_API_KEY",
    "download_directory": "--output",
    "output_name": "--output",
    "id": "ID",
    "file": "FILE",
    "manifest": "MANIFEST",
    "key": "KEY",
    "which": "JOB",
    "check_balance": "--no-check-balance",
    "project_id": "--project",
}
_SETTINGS = (
    *("timeout", "poll_interval", "base_url", "allow_http", "extra_body", "role"),
    *("database", "endpoint", "output", "concurrency", "rate", "max_credits", "assume_credits", "job_log"),
)
_REMEDIES = {"token": "set MAGIC_HOUR_API_KEY to the key alone, without `Bearer`, spaces or line breaks"}
"""For arguments that have no option."""
_EXTRAS = {
    **dict.fromkeys(("dbos", "jinja2", "psycopg", "sqlalchemy"), "cli,batch"),
    **dict.fromkeys(
        ("magic_hour_emulator", "av", "h11", "jsonschema", "PIL", "referencing", "starlette", "uvicorn"), "emulator"
    ),
    "yaml": "emulator",
}
"""Which extra has a package."""
_NAME = re.compile(r"`([^`]+)`")


class CLIError(Exception):
    """A failure of the command line itself, with nothing to add about a job."""


class UsageError(CLIError):
    """The command does not exist, or lacks something."""


class ResultNotPrinted(CLIError):
    """The command did its work, but its result could not be written to stdout; the message includes it."""

    def __init__(self, error: OSError, lines: Sequence[str]) -> None:
        result = f"; it is: {', '.join(lines)}" if lines else ""
        super().__init__(f"the result could not be printed ({error.strerror}){result}")


@attrs.frozen(kw_only=True)
class ErrorContext:
    """What a command knows when it fails, as in `Terminal`; `resume` is the command that resumes the job."""

    job: Job | None = None
    unknown: SubmissionUnknown | None = None
    resume: str | None = None
    flags: Sequence[Flag] = ()
    submits: bool = False
    address: str | None = None


def exit_code(error: BaseException, context: ErrorContext) -> int:
    if context.unknown is not None:  # the doubt about a charge matters more than its cause
        return SUBMISSION_UNKNOWN
    if isinstance(error, Terminated):
        return 128 + error.number
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, JobError):
        return JOB_FAILED
    if isinstance(error, UsageError) or (isinstance(error, InvalidArgument) and error.project_id is None):
        return USAGE
    return FAILED


def message(error: BaseException, context: ErrorContext) -> str:
    text = _message(error, context)
    if context.job is not None and context.resume is not None and not isinstance(error, MagicHourError):
        # Our own errors name the job themselves where it can be resumed.
        accepted = f"The {context.job.kind} job {context.job.shown_id} was accepted"
        text = f"{text}. {accepted}; resume it with: {context.resume}"
    if isinstance(error, ConnectionFailed) and not error.sent and context.address:
        hint = "; is the emulator running? (magic-hour emulator)" if "://127.0.0.1" in context.address else ""
        text = f"{text}, at {context.address}{hint}"
    if saved := getattr(error, "downloaded_paths", None):
        text = f"{text.rstrip('.')}. Saved before that: {', '.join(map(str, saved))}"
    return text


def _message(error: BaseException, context: ErrorContext) -> str:
    if isinstance(error, KeyboardInterrupt):
        how = "terminated" if isinstance(error, Terminated) else "interrupted"
        if context.unknown is not None:
            return f"{how}; {context.unknown}"
        return f"{how}; nothing was submitted or charged" if context.submits and context.job is None else how
    if isinstance(error, InvalidArgument) and (mistakes := getattr(error, "mistakes", None)):
        return "\n".join([error.problem, *(f"  {mistake}" for mistake in mistakes)])  # `str` has the first ones
    if isinstance(error, InvalidArgument) and error.field in _REMEDIES:
        return f"{option(error.field, context.flags)}: {error.problem}; {_REMEDIES[error.field]}"
    if isinstance(error, MagicHourError):
        return error.describe(partial(_show, context=context))
    if isinstance(error, CLIError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (extra := _EXTRAS.get((error.name or "").partition(".")[0])):
        return f"this command needs {error.name}: pip install 'magic-hour-workflows[{extra}]'"
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}"
    return f"unexpected {type(error).__name__}: {error}; --debug shows where"


def _show(piece: object, context: ErrorContext) -> str:
    """A piece of a message as the command line writes it."""
    match piece:
        case Argument(name=name):
            return option(name, context.flags)
        case Resume(kind=kind) if JOBS[kind].is_task:
            return "run the command again: it costs nothing"
        case Resume() if context.resume is not None:
            return f"resume it with: {context.resume}"
        case _:
            return str(piece)


def option(field: str, flags: Sequence[Flag]) -> str:
    """The option for a field."""
    known = {flag.field: flag.flag for flag in flags}
    plain, _, item = field.partition("[")
    number, _, inner = item.partition("].")
    if plain in known:
        return f"{known[plain]} {inner} (number {int(number) + 1})" if inner else known[plain]
    dashed = f"--{field.replace('_', '-')}" if field in _SETTINGS else f"`{field}`"
    return _OPTIONS.get(field, dashed)


def deprecation(notice: FieldDeprecated, flags: Sequence[Flag]) -> str:
    """The message about something that the service has retired."""
    what = option(notice.field, flags) + ("" if notice.value is None else f" {notice.value}")
    # The contract puts names of fields in backticks.
    remedy = _NAME.sub(lambda found: option(found[1], flags), notice.remedy)
    return f"{what} is deprecated: {remedy}"


def error_json(error: BaseException, text: str, context: ErrorContext) -> dict[str, Any]:
    about = context.unknown or error
    name = "Interrupted" if isinstance(about, KeyboardInterrupt) else type(about).__name__
    data: dict[str, Any] = {"type": name, "message": text, "exit_code": exit_code(error, context)}
    data |= {name: value for name in _DETAILS if (value := getattr(about, name, None)) is not None}
    if context.unknown is not None:
        data["submitted_at"] = context.unknown.submitted_at.isoformat()
    if context.job is not None:
        data |= {"project_id": context.job.id, "kind": context.job.kind}
        if exit_code(error, context) != JOB_FAILED:  # a failed job cannot be resumed
            data["resume"] = context.resume
    if mistakes := getattr(error, "mistakes", None):
        data["mistakes"] = [attrs.asdict(mistake) for mistake in mistakes]
    if saved := getattr(error, "downloaded_paths", None):
        data["downloaded_paths"] = [str(path) for path in saved]
    return {"error": data}
