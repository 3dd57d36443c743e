"""`batch status`, `settle`, `report`: what needs no key, since nothing is sent.

Rule: each says what it found, and what to type next.
"""

from __future__ import annotations

import os
import webbrowser

from magic_hour_client.errors import InvalidArgument
from magic_hour_client.settings import KEY_VARIABLE

from ...batch.batch import Batch
from ...batch.results import record
from ...batch.rows import RowStatus
from ...wording import shown
from ..streams import to_stderr
from ..terminal import Terminal
from .ending import Ending, way_on, write_files
from .opening import counted, database_errors, output_of, summary_data, title_of
from .places import Where


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
    ]
    ended_badly = [result for result in results if result.status in (RowStatus.FAILED, RowStatus.DOUBTFUL)]
    about = {"database": str(batch.database), "output": str(output)}
    terminal.result({**about, **summary_data(summary), "to_do": [record(each, output) for each in ended_badly]}, lines)
    ending = Ending(place=place, again=place.command("worker"), title=title_of(batch), output=output)
    for line in way_on(results, summary, ending, how="if nobody runs it, go on with"):
        to_stderr(line)


def settle_row(terminal: Terminal, place: Where, key: str, project: str | None, not_charged: bool) -> None:
    """Write down what became of a doubtful row."""
    if (project is None) == (not not_charged):
        raise InvalidArgument("`project_id`: give either --project ID or --not-charged", field="project_id")
    batch = _batch(place)
    with database_errors():
        batch.settle(key, project_id=project, not_charged=not_charged)
    what = "it will be submitted anew" if project is None else f"its job is {shown(project)}"
    line = f"{shown(key)} is settled: {what}; go on with: {place.command('worker')}"
    terminal.result({"key": key, "project_id": project, "settled": True}, [line])


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
