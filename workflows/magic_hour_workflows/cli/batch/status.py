"""`batch status`, `verify`, `settle`, `report`: what needs no key, since nothing is sent.

Rule: each says what it found, and what to type next.
"""

from __future__ import annotations

import math
import os
import sys
import webbrowser
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from magic_hour_client._runtime.settings import KEY_VARIABLE
from magic_hour_client.errors import InvalidArgument

from ..._formatting import shown
from ...batch._batch import Batch
from ...batch._report import record
from ...batch._rows import DamagedFile, RowStatus
from ...batch._settling import Settled
from .. import exit_status as ends
from ..printing import size
from ..streams import to_stderr
from ..terminal import Terminal
from .options import Where
from .preview import counted, database_errors, output_of, stray_lines, summary_data, title_of
from .summary import Ending, way_on, write_files


def show_status(terminal: Terminal, place: Where) -> None:
    """Print how a batch stands, and what to do about the rest of it."""
    batch = _batch(place)
    with database_errors():
        summary, results, output = batch.summary(), batch.results(), output_of(batch)
    lines = [
        f"database  {shown(str(batch.database))}",
        f"output    {shown(output)}",
        f"rows      {summary.rows:,}: {', '.join(counted(summary))}",
        f"credits   {summary.credits:,.10g}",
        *(f"stray     {line}" for line in stray_lines(summary)),
    ]
    ended_badly = [result for result in results if result.status in (RowStatus.FAILED, RowStatus.DOUBTFUL)]
    about = {"database": str(batch.database), "output": str(output)}
    terminal.result({**about, **summary_data(summary), "to_do": [record(each, output) for each in ended_badly]}, lines)
    ending = Ending(place=place, again=place.command("worker"), title=title_of(batch), output=output)
    for line in way_on(results, summary, ending, how="if nobody runs it, go on with"):
        to_stderr(line)


def verify_files(terminal: Terminal, place: Where) -> int:
    """Check the saved files; returns the exit code."""
    batch = _batch(place)
    with database_errors():
        found = batch.verify()
    files = f"{found.files:,} file{'' if found.files == 1 else 's'}, {size(found.bytes)}"
    saved = f"{found.rows:,} saved row{'' if found.rows == 1 else 's'}"
    verdict = f"{len(found.damaged):,} damaged" if found.damaged else "all intact"
    lines = [_damaged_line(each) for each in found.damaged]
    terminal.result(attrs.asdict(found, value_serializer=_plain), [*lines, f"{files} of {saved}: {verdict}"])
    if found.intact:
        return 0
    rows = len({each.key for each in found.damaged})
    what = "1 row is" if rows == 1 else f"{rows:,} rows are"
    to_stderr(f"magic-hour: {what} damaged; download them again, at no charge: {place.command('worker')}")
    return ends.JOB_FAILED


def _damaged_line(file: DamagedFile) -> str:
    where = "no file" if file.path is None else shown(file.path)
    return f"damaged   {shown(file.key)}: {where}: {file.problem}"


def _plain(_: object, __: object, value: Any) -> Any:
    """Paths as JSON can say them."""
    return str(value) if isinstance(value, Path) else value


def settle_row(terminal: Terminal, place: Where, key: str, project: str | None, not_charged: bool) -> int:
    """Write down what became of a doubtful row; returns the exit code."""
    if (project is None) == (not not_charged):
        raise InvalidArgument("give either --project ID or --not-charged", field="project_id")
    batch = _batch(place)
    ask = partial(_ask, terminal) if not_charged else None
    with database_errors():
        settled = batch.settle(key, project_id=project, not_charged=ask, on_wait=partial(_waiting, terminal, key))
        known = project or next((row.id for row in batch.results() if row.key == key), None)
    data = {"key": key, "project_id": known, "settled": settled is not Settled.OPEN, "how": settled.value}
    if settled is Settled.OPEN:
        command = place.command("settle", "--project", "ID", "--", key)
        line = f"{shown(key)} stays in doubt, and is not submitted; if there is a job of that name: {command}"
        terminal.result(data, [line])
        return ends.SUBMISSION_UNKNOWN
    what = f"its job is {shown(str(known))}" if known is not None else "it will be submitted anew"
    terminal.result(data, [f"{shown(key)} is settled: {what}; go on with: {place.command('worker')}"])
    return 0


def _waiting(terminal: Terminal, key: str, left: float) -> None:
    """Say how long it takes: at once, and every half minute."""
    seconds = math.ceil(left)
    if seconds % 30 == 15:
        terminal.say(f"{shown(key)} is closed: nobody submits it any more; {seconds} s until it is certain")


def _ask(terminal: Terminal, name: str) -> bool | None:
    """Ask whether there is a job of that name, now that none can appear any more; None without an answer."""
    to_stderr(f"Look in the web app now: is there a job named {shown(name)}? Type yes or no:")
    _forget_typed()
    try:
        answer = sys.stdin.readline().strip().lower() if sys.stdin is not None else ""
    except (OSError, ValueError):
        return None
    return {"no": True, "n": True, "yes": False, "y": False}.get(answer)


def _forget_typed() -> None:
    """What was typed at a terminal before the question is no answer to it."""
    with suppress(Exception):  # no terminal, or Windows
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def show_report(terminal: Terminal, place: Where, *, browser: bool) -> None:
    """Write the files that stand beside the outputs."""
    batch = _batch(place)
    with database_errors():
        again = place.command("worker")
        ending = Ending(place=place, again=again, title=title_of(batch), output=output_of(batch))
        files = write_files(batch.results(), batch.summary(), ending)
    if browser:
        webbrowser.open(files[-1].absolute().as_uri())
    paths = [str(path) for path in files]
    terminal.result({"files": paths}, paths)


def _batch(place: Where) -> Batch:
    return Batch(None, database=place.database, token=os.environ.get(KEY_VARIABLE) or "no-key-is-sent")
