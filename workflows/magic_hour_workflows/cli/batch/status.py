"""`batch status`, `verify`, `settle`, `report`, and how a run ends: what was done, and the command for the rest.

Rule: a doubt about a charge takes precedence over everything else, and is reported even with `--quiet`. No command here
sends anything, so none needs an API key.
"""

from __future__ import annotations

import math
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy.exc import DBAPIError

from magic_hour_client.errors import InvalidArgument, MagicHourError

from ..._formatting import shown
from ...batch._batch import Batch
from ...batch._database import SUFFIX, open_beside_run
from ...batch._report import record, remedy, rounded, write_report, write_results
from ...batch._rows import RowResult, RowStatus, Summary
from ...batch._settling import Settled
from .. import exit_status
from ..printing import size, to_stderr
from ..terminal import Terminal, key_if_any
from .display import counted, row_line
from .options import BatchLocation

SHOWN = 10
"""How many rows of a kind are listed; the report has all."""


@attrs.frozen(kw_only=True)
class RunContext:
    """What the end of a run needs to know."""

    location: BatchLocation
    resume: str
    """The command that resumes the batch."""
    title: str
    output: Path


def finish(terminal: Terminal, batch: Batch, context: RunContext, interruption: KeyboardInterrupt | None) -> int:
    """Write the result files and report how the run ended; returns the exit code."""
    results, summary = batch.results(), batch.summary()
    code = exit_code(summary, interruption)
    terminal.say(f"{', '.join(counts_text(summary))}; {summary.credits:,.10g} credits")
    certain = interruption is not None and not summary.counts.get(RowStatus.DOUBTFUL)
    for line in next_steps(results, summary, context, how="no job is lost; resume with" if certain else "resume with"):
        to_stderr(line)
    try:
        files = [str(path) for path in write_files(results, summary, context)]
    except OSError as error:
        again = context.location.command("report")
        to_stderr(f"magic-hour: the results could not be written ({error.strerror}); write them later: {again}")
        files, code = [], code or exit_status.FAILED
    data = {"event": "summary", **summary_data(summary), "files": files, "exit_code": code}
    try:
        terminal.result(data, files)
    except exit_status.ResultNotPrinted as error:
        to_stderr(f"magic-hour: {error}")
        return code or exit_status.FAILED
    return code


def exit_code(summary: Summary, interruption: BaseException | None) -> int:
    """The exit code of a run: doubt first, then why it was stopped, then what is not saved."""
    if summary.counts.get(RowStatus.DOUBTFUL):
        return exit_status.SUBMISSION_UNKNOWN
    if summary.done and not (summary.strays and summary.halted):  # this run found that a row may be charged twice
        return 0
    if interruption is None:
        return exit_status.JOB_FAILED
    return exit_status.exit_code(interruption, exit_status.ErrorContext())


def write_files(results: Sequence[RowResult], summary: Summary, context: RunContext) -> list[Path]:
    """`results.jsonl`, `results.csv` and `report.html`, next to the outputs."""
    folder = context.output.absolute()
    tables = write_results(folder, results)
    options = context.location.portable_options
    return [*tables, write_report(folder, results, summary, context.title, options=options)]


def next_steps(results: Sequence[RowResult], summary: Summary, context: RunContext, *, how: str) -> list[str]:
    """What is not done, and the commands for it; `how` are the words before the one that resumes the batch."""
    of: dict[RowStatus, list[RowResult]] = {status: [] for status in RowStatus}
    for result in results:
        of[result.status].append(result)
    lines = []
    if summary.halted:
        lines.append(f"magic-hour: the batch stopped: {summary.halted}")
    lines += [f"magic-hour: {line}" for line in stray_lines(summary)]
    for status in (RowStatus.FAILED, RowStatus.SKIPPED):
        lines += _listed(of[status], row_line)
    lines += _listed([result for result in of[RowStatus.RUNNING] if result.error], row_line)
    lines += _listed(of[RowStatus.DOUBTFUL], partial(doubt, location=context.location))
    left = len(of[RowStatus.WAITING]) + len(of[RowStatus.RUNNING]) + len(of[RowStatus.SKIPPED])
    if left:
        more = " (with a higher --max-credits)" if of[RowStatus.SKIPPED] else ""
        are = "is" if left == 1 else "are"
        lines.append(f"magic-hour: {counted(left, 'row')} {are} left; {how}{more}: {context.resume}")
    if failed := of[RowStatus.FAILED]:
        lines.append(f"magic-hour: retry {'it' if len(failed) == 1 else 'them'}: {context.location.command('retry')}")
    return lines


def doubt(result: RowResult, location: BatchLocation) -> str:
    """A doubtful row, and the commands that settle it."""
    unknown = "it is unknown whether the service accepted its job, so it is not sent again"
    lines = [f"doubtful  {shown(result.key)}: {unknown}"]
    for sentence, command in remedy(result, [*location.options, *location.service]):
        lines.append(f"          {sentence} {command}")
    return "\n".join(lines)


def _listed(results: Sequence[RowResult], line: Callable[[RowResult], str]) -> list[str]:
    lines = [line(result) for result in results[:SHOWN]]
    if len(results) > SHOWN:
        lines.append(f"          and {len(results) - SHOWN:,} more {results[0].status} rows; the report has all")
    return lines


# The state of a batch


@contextmanager
def database_errors() -> Iterator[None]:
    """Report errors of the database without its statements."""
    try:
        yield
    except DBAPIError as error:
        why = " ".join(str(error.orig).split()) or type(error.orig).__name__
        raise MagicHourError(f"the batch database failed ({why})", "run the batch again; no job is lost") from error


def output_of(batch: Batch) -> Path:
    with open_beside_run(batch.database) as store:
        return Path(store.settings()["output"] or os.curdir)


def title_of(batch: Batch) -> str:
    path = batch.database.path
    return str(batch.database) if path is None else path.name.removesuffix(SUFFIX)


def counts_text(summary: Summary) -> list[str]:
    return [f"{summary.counts[status]:,} {status}" for status in RowStatus if summary.counts.get(status)]


def summary_data(summary: Summary) -> dict[str, Any]:
    counts = {status.value: summary.counts.get(status, 0) for status in RowStatus}
    strays = [{**attrs.asdict(stray), "credits": rounded(stray.credits)} for stray in summary.strays]
    about = {"credits": rounded(summary.credits), "halted": summary.halted, "strays": strays}
    return {"rows": summary.rows, "counts": counts, **about}


def stray_lines(summary: Summary) -> list[str]:
    """The jobs that were charged in addition to those of their rows."""
    return [
        f"job {shown(stray.id)} ({shown(stray.name)}) of row {shown(stray.key)}, which has another job or is gone: "
        f"{'unknown' if stray.credits is None else f'{stray.credits:,.10g}'} credits"
        for stray in summary.strays
    ]


# The commands


def show_status(terminal: Terminal, location: BatchLocation) -> None:
    batch = _batch(location)
    with database_errors():
        summary, results, output = batch.summary(), batch.results(), output_of(batch)
    lines = [
        f"database  {shown(str(batch.database))}",
        f"output    {shown(output)}",
        f"rows      {summary.rows:,}: {', '.join(counts_text(summary))}",
        f"credits   {summary.credits:,.10g}",
        *(f"stray     {line}" for line in stray_lines(summary)),
    ]
    not_done = [result for result in results if result.status in (RowStatus.FAILED, RowStatus.DOUBTFUL)]
    about = {"database": str(batch.database), "output": str(output)}
    terminal.result({**about, **summary_data(summary), "to_do": [record(each, output) for each in not_done]}, lines)
    resume = location.command("worker")
    context = RunContext(location=location, resume=resume, title=title_of(batch), output=output)
    for line in next_steps(results, summary, context, how="if it is not running, resume it with"):
        to_stderr(line)


def verify_files(terminal: Terminal, location: BatchLocation) -> int:
    """Check the saved files; returns the exit code."""
    batch = _batch(location)
    with database_errors():
        found = batch.verify()
    verdict = f"{len(found.damaged):,} damaged" if found.damaged else "all intact"
    checked = f"{counted(found.files, 'file')}, {size(found.bytes)} of {counted(found.rows, 'saved row')}: {verdict}"
    lines = [f"damaged   {shown(each.key)}: {shown(each.path or 'no file')}: {each.problem}" for each in found.damaged]
    terminal.result(attrs.asdict(found), [*lines, checked])
    if found.intact:
        return 0
    rows = len({each.key for each in found.damaged})
    what = f"{counted(rows, 'row')} {'is' if rows == 1 else 'are'} damaged"
    to_stderr(f"magic-hour: {what}; download them again, at no charge: {location.command('worker')}")
    return exit_status.JOB_FAILED


def settle_row(terminal: Terminal, location: BatchLocation, key: str, project: str | None, not_charged: bool) -> int:
    """Record the outcome of a doubtful row; returns the exit code."""
    if (project is None) == (not not_charged):
        raise InvalidArgument("pass either --project ID or --not-charged", field="project_id")
    batch = _batch(location)
    ask = partial(_ask, terminal) if not_charged else None
    with database_errors():
        settled = batch.settle(key, project_id=project, not_charged=ask, on_wait=partial(_on_wait, terminal, key))
        known = project or next((row.id for row in batch.results() if row.key == key), None)
    data = {"key": key, "project_id": known, "settled": settled is not Settled.OPEN, "how": settled.value}
    if settled is Settled.OPEN:
        command = location.command("settle", "--project", "ID", "--", key)
        line = f"{shown(key)} is still in doubt, and is not submitted; if there is a job of that name: {command}"
        terminal.result(data, [line])
        return exit_status.SUBMISSION_UNKNOWN
    what = f"its job is {shown(str(known))}" if known is not None else "it will be submitted again"
    terminal.result(data, [f"{shown(key)} is settled: {what}; resume with: {location.command('worker')}"])
    return 0


def _on_wait(terminal: Terminal, key: str, left: float) -> None:
    """Report how long the wait is, at its start and every half minute."""
    seconds = math.ceil(left)
    if seconds % 30 == 15:
        terminal.say(f"{shown(key)} is closed, so that nothing submits it; {seconds} s until it is certain")


def _ask(terminal: Terminal, name: str) -> bool | None:
    """Ask whether there is a job of that name, now that none can appear any more; None without an answer."""
    to_stderr(f"Check the web app now: is there a job named {shown(name)}? Type yes or no:")
    _discard_typed_ahead()
    try:
        answer = sys.stdin.readline().strip().lower() if sys.stdin is not None else ""
    except (OSError, ValueError):
        return None
    return {"no": True, "n": True, "yes": False, "y": False}.get(answer)


def _discard_typed_ahead() -> None:
    """Drop what was typed before the question: it cannot be the answer."""
    with suppress(Exception):  # not a terminal, or Windows
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def show_report(terminal: Terminal, location: BatchLocation, *, browser: bool) -> None:
    """Write the result files next to the outputs."""
    batch = _batch(location)
    with database_errors():
        resume, output = location.command("worker"), output_of(batch)
        context = RunContext(location=location, resume=resume, title=title_of(batch), output=output)
        files = write_files(batch.results(), batch.summary(), context)
    if browser:
        webbrowser.open(files[-1].absolute().as_uri())
    paths = [str(path) for path in files]
    terminal.result({"files": paths}, paths)


def _batch(location: BatchLocation) -> Batch:
    return Batch(None, database=location.database, token=key_if_any())
