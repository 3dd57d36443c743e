"""What `magic-hour jobs` does: list, resume and settle what the job log has.

Rule: a doubt about a charge is shown with what settles it. Jobs of other addresses, and those whose program is still
running, are left alone unless they are named.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args

from magic_hour_client._runtime.redaction import escaped
from magic_hour_client.errors import InvalidArgument, MagicHourError

from .._client import Client
from .._formatting import reason, shown
from .._job_log.entries import Book, Entry, line_of
from .._job_log.log import checked_place, default_place
from .._job_log.owners import is_running
from .._job_log.settling import NOT_SAVED, UNKNOWN, found, needs_something, settled, state_of
from .._job_log.store import FileStore, read
from .._results import Kind
from .._settings import JOB_LOG_VARIABLE, NO_JOB_LOG
from ..errors import JobLogUnusable
from . import exit_status
from .command import output_options
from .printing import to_stderr
from .terminal import Terminal, job_log_place, key_if_any, projects_of


def _place(terminal: Terminal) -> Path:
    """The file of the job log.

    Raises:
        InvalidArgument: there is none.
    """
    place = job_log_place(terminal.job_log)
    place = os.environ[JOB_LOG_VARIABLE] if place is None else place
    if place is False or str(place).lower() == NO_JOB_LOG:
        raise InvalidArgument("there is no job log", "name its file", field="job_log")
    return default_place() if place is True else checked_place(place, "job_log")


def _book(terminal: Terminal) -> tuple[Book, str]:
    """What the log says, and the address of the service."""
    place = _place(terminal)
    with Client(key_if_any(), base_url=terminal.base_url, allow_http=terminal.allow_http, job_log=False) as client:
        service = client.base_url
    with _errors_of(place):
        return read(place), service


@contextmanager
def _errors_of(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobLogUnusable(shown(place), reason(error)) from error


# list


def list_jobs(terminal: Terminal, *, everything: bool = False) -> None:
    book, service = _book(terminal)
    now = datetime.now(UTC)
    here = [entry for entry in book.of(service) if needs_something(entry)]
    entries = list(book.entries.values()) if everything else here
    used = book.used(service, is_running)
    data = {"job_log": str(_place(terminal)), "credits_used": used, "jobs": [_data(entry, now) for entry in entries]}
    terminal.result(data, [_line(entry, now) for entry in entries] or ["nothing to do: all jobs are saved"])
    for entry in entries:
        if state_of(entry) == UNKNOWN:
            terminal.say(_how_to_settle(terminal, entry))
    if any(state_of(entry) == NOT_SAVED for entry in entries):
        terminal.say(f"save what is not saved with: {_typed(terminal, 'resume')}")
    terminal.say(f"{used:g} credits used at {service}, including submissions that are still open")
    others = sum(entry.state.open and entry.service != service for entry in book.entries.values())
    if others and not everything:
        terminal.say(f"{others} more at other addresses: --all shows them")
    if book.unreadable:
        terminal.say(f"magic-hour: {book.unreadable} lines of the job log cannot be read")


def _data(entry: Entry, now: datetime) -> dict[str, Any]:
    known = ("id", "kind", "name", "operation", "service", "estimate", "directory", "output_name", "reason")
    return {
        "state": state_of(entry),
        **{name: getattr(entry, name) for name in known},
        "credits_charged": entry.credits,
        "submitted_at": entry.at.isoformat(),
        "age_seconds": max(0, round((now - entry.at).total_seconds())),
    }


def _line(entry: Entry, now: datetime) -> str:
    if entry.credits is not None:
        credits = f"{entry.credits:g} credits"
    else:
        credits = "unknown price" if entry.estimate is None else f"up to {entry.estimate:g} credits"
    age = _age(max(0.0, (now - entry.at).total_seconds()))
    return escaped(f"{state_of(entry):<11}  {entry.id or '-':<25}  {entry.name or '-'}  {credits}  {age}")


def _age(seconds: float) -> str:
    """How long ago something was.

    >>> _age(5), _age(200), _age(90_000)
    ('5 s ago', '3 min ago', '25 h ago')
    """
    for size, unit, most in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if seconds < size * most:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{seconds // 86400:.0f} days ago"


def _how_to_settle(terminal: Terminal, entry: Entry) -> str:
    which = entry.name or entry.token
    return (
        f"it is unknown whether {which!r}, submitted at {entry.at:%Y-%m-%d %H:%M:%S} UTC, was accepted: look for it in"
        f" the web app. If it is there: {_typed(terminal, 'settle', which, '--project', 'ID')}. If not:"
        f" {_typed(terminal, 'settle', which, '--not-charged')}"
    )


def _typed(terminal: Terminal, *words: str) -> str:
    """A command of this group, with the options that lead to the same log and service."""
    log = ["--job-log", terminal.job_log] if terminal.job_log else []
    where = ["--base-url", terminal.base_url] if terminal.base_url else []
    return escaped(shlex.join(["magic-hour", "jobs", *words, *log, *where]))


# resume


def resume_jobs(terminal: Terminal, ids: Sequence[str], output: str | None, options: Mapping[str, Any]) -> int:
    book, service = _book(terminal)
    entries = _wanted(book, service, ids)
    done, failures = [], []
    if entries:
        with terminal.client() as client:
            for entry in entries:
                data, error = _finish(terminal, client, entry, output, options)
                done.append(data)
                failures += [] if error is None else [error]
    doubtful = [entry for entry in book.of(service) if state_of(entry) == UNKNOWN]
    lines = [path for data in done for path in data.get("downloaded_paths", [])]
    terminal.result({"jobs": done, "unknown": [_data(entry, datetime.now(UTC)) for entry in doubtful]}, lines)
    for entry in doubtful:
        to_stderr(_how_to_settle(terminal, entry))
    if not entries:
        terminal.say("no job has to be resumed")
    if failures:
        return max(exit_status.exit_code(error, exit_status.ErrorContext()) for error in failures)
    return exit_status.SUBMISSION_UNKNOWN if doubtful else 0


def _wanted(book: Book, service: str, ids: Sequence[str]) -> list[Entry]:
    if not ids:
        return [entry for entry in book.of(service) if state_of(entry) == NOT_SAVED]
    known = {entry.id: entry for entry in book.of(service) if entry.id is not None}
    for id in ids:
        if id not in known:
            raise InvalidArgument(f"the job log has no job {escaped(id)} of this address", field="id")
    return [known[id] for id in dict.fromkeys(ids)]


def _finish(
    terminal: Terminal, client: Any, entry: Entry, output: str | None, options: Mapping[str, Any]
) -> tuple[dict[str, Any], Exception | None]:
    """Wait for a job and save it. One that fails does not keep the others from being saved."""
    id = str(entry.id)
    try:
        kind = _kind(entry)
        where = _where(entry, kind, output)
        with terminal.with_job(kind, id), terminal.progress() as on_progress:
            result = projects_of(client, kind).check_result(id, **where, **options, on_progress=on_progress)
    except MagicHourError as error:
        to_stderr(f"magic-hour: {exit_status.message(error, exit_status.ErrorContext())}")
        return {"id": id, "kind": entry.kind, "error": str(error)}, error
    paths = [str(path) for path in result.downloaded_paths]
    return {
        "id": id,
        "kind": entry.kind,
        "status": result.status,
        "credits_charged": result.credits_charged,
        "downloaded_paths": paths,
    }, None


def _kind(entry: Entry) -> Kind:
    """What the job makes.

    Raises:
        InvalidArgument: nothing that this version knows.
    """
    if entry.kind in get_args(Kind):
        return cast(Kind, entry.kind)
    raise InvalidArgument(f"the job log has a job of an unknown kind, {escaped(entry.kind)}", field="id")


def _where(entry: Entry, kind: Kind, output: str | None) -> dict[str, str | None]:
    """Where to save: where this command says, or else where the program would have."""
    if output is not None:
        return output_options(output, kind)
    return {"download_directory": entry.directory, "output_name": entry.output_name}


# settle


def settle_job(terminal: Terminal, which: str, project: str | None, *, not_charged: bool, done: bool) -> None:
    if (project is not None) + not_charged + done != 1:
        raise InvalidArgument("pass one of --project ID, --not-charged and --done", field="project_id")
    place = _place(terminal)
    entries: list[Entry] = []

    def decide(book: Book) -> str:
        entry = found(book, which)
        entries.append(settled(entry, project, not_charged=not_charged))
        return line_of(entries[0], entry)

    with _errors_of(place):
        FileStore(place).change(decide, sync=True)
    then = f"; save it with: {_typed(terminal, 'resume', str(project))}" if project is not None else ""
    state = state_of(entries[0])
    terminal.result(_data(entries[0], datetime.now(UTC)), [escaped(f"{which} is settled: {state}") + then])
