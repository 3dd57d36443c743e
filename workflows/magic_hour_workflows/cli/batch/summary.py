"""At the end of a run: the files, the words and the exit code; and for what is not done, the command that does it.

Rule: a doubt about money wins over everything else, and is said even to those who want to hear nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from ..._formatting import shown
from ...batch._batch import Batch
from ...batch._report import remedy, write_report, write_results
from ...batch._rows import RowResult, RowStatus, Summary
from .. import exit_status as ends
from ..streams import to_stderr
from ..terminal import Terminal
from .lines import row_line
from .options import Where
from .preview import counted, stray_lines, summary_data

SHOWN = 10
"""How many rows of a kind are named; the report has all."""


@attrs.frozen(kw_only=True)
class Ending:
    """What a run knows about the way on.

    Attributes:
        place: where the batch is.
        again: the command that goes on with it.
        title: what the batch is called.
        output: the folder for the outputs.
    """

    place: Where
    again: str
    title: str
    output: Path


def finish(terminal: Terminal, batch: Batch, ending: Ending, interruption: KeyboardInterrupt | None) -> int:
    """Write the files, tell how it ended; returns the exit code."""
    results, summary = batch.results(), batch.summary()
    code = exit_code(summary, interruption)
    terminal.say(f"{', '.join(counted(summary))}; {summary.credits:,.10g} credits")
    certain = interruption is not None and not summary.counts.get(RowStatus.DOUBTFUL)
    how = "nothing is lost; go on with" if certain else "go on with"
    for line in way_on(results, summary, ending, how=how):
        to_stderr(line)
    try:
        files = [str(path) for path in write_files(results, summary, ending)]
    except OSError as error:
        to_stderr(
            f"magic-hour: the results could not be written ({error.strerror}); later: {ending.place.command('report')}"
        )
        files, code = [], code or ends.FAILED
    data = {"event": "summary", **summary_data(summary), "files": files, "exit_code": code}
    try:
        terminal.result(data, files)
    except ends.NotPrinted as error:
        to_stderr(f"magic-hour: {error}")
        return code or ends.FAILED
    return code


def exit_code(summary: Summary, interruption: BaseException | None) -> int:
    """The exit code of a run: doubt first, then why it was stopped, then what is not saved."""
    if summary.counts.get(RowStatus.DOUBTFUL):
        return ends.SUBMISSION_UNKNOWN
    if summary.done and not (summary.strays and summary.halted):  # this run found that a row may be charged twice
        return 0
    return ends.JOB_FAILED if interruption is None else ends.exit_code(interruption, ends.Known())


def write_files(results: Sequence[RowResult], summary: Summary, ending: Ending) -> list[Path]:
    """`results.jsonl`, `results.csv` and `report.html`, beside the outputs."""
    folder = ending.output.absolute()
    tables = write_results(folder, results)
    return [*tables, write_report(folder, results, summary, ending.title, options=ending.place.anywhere)]


def way_on(results: Sequence[RowResult], summary: Summary, ending: Ending, *, how: str) -> list[str]:
    """What is not done, and how to do it.

    Args:
        results: every row.
        summary: how the batch stands.
        ending: knows the commands.
        how: what stands before the command that goes on.
    """
    of: dict[RowStatus, list[RowResult]] = {status: [] for status in RowStatus}
    for result in results:
        of[result.status].append(result)
    lines = []
    if summary.halted:
        lines.append(f"magic-hour: the batch stopped: {summary.halted}")
    lines += [f"magic-hour: {line}" for line in stray_lines(summary)]
    for status in (RowStatus.FAILED, RowStatus.SKIPPED):
        lines += _named(of[status], row_line)
    lines += _named([result for result in of[RowStatus.RUNNING] if result.error], row_line)
    lines += _named(of[RowStatus.DOUBTFUL], lambda result: doubt(result, ending.place))
    left = len(of[RowStatus.WAITING]) + len(of[RowStatus.RUNNING])
    if left or of[RowStatus.SKIPPED]:
        more = " (with a higher --max-credits)" if of[RowStatus.SKIPPED] else ""
        number = left + len(of[RowStatus.SKIPPED])
        are = "row is" if number == 1 else "rows are"
        lines.append(f"magic-hour: {number:,} {are} left; {how}{more}: {ending.again}")
    if failed := of[RowStatus.FAILED]:
        lines.append(f"magic-hour: try {'it' if len(failed) == 1 else 'them'} anew: {ending.place.command('retry')}")
    return lines


def doubt(result: RowResult, place: Where) -> str:
    """A doubtful row, and the commands that settle it."""
    lines = [f"doubtful  {shown(result.key)}: nobody knows whether its job was accepted, so it is not sent again"]
    for sentence, command in remedy(result, [*place.options, *place.service]):
        lines.append(f"          {sentence} {command}")
    return "\n".join(lines)


def _named(results: Sequence[RowResult], say: Any) -> list[str]:
    lines = [say(result) for result in results[:SHOWN]]
    if len(results) > SHOWN:
        lines.append(f"          and {len(results) - SHOWN:,} more {results[0].status} rows; the report has all")
    return lines
