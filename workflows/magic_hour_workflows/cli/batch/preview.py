"""Before a batch runs: what it will do and cost, and how far it is already.

Rule: nothing is sent, and nothing is written.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy.exc import DBAPIError

from magic_hour_client.errors import MagicHourError

from ..._formatting import shown
from ..._hints import unlisted_in
from ...batch._batch import Batch
from ...batch._database import SUFFIX, lock_path, open_beside_run, side_file_path
from ...batch._report import rounded
from ...batch._rows import Row, RowStatus, Summary
from ..printing import size


@contextmanager
def database_errors() -> Iterator[None]:
    """What the database says, without the statements."""
    try:
        yield
    except DBAPIError as error:
        why = " ".join(str(error.orig).split()) or type(error.orig).__name__
        raise MagicHourError(
            f"the batch database does not answer as it should ({why})", "nothing is lost: run the batch again"
        ) from error


def stands(batch: Batch) -> Summary | None:
    """How a batch stands that was begun before."""
    file = batch.database.file
    if file is not None and not (file.is_file() or lock_path(file).exists() or side_file_path(file).exists()):
        return None
    summary = batch.summary()
    return summary if summary.rows else None


def output_of(batch: Batch) -> Path:
    """The folder for the outputs that the database knows, as the last run had it."""
    with open_beside_run(batch.database) as store:
        return Path(store.settings()["output"] or os.curdir)


def title_of(batch: Batch) -> str:
    """What to call a batch of which the manifest is not known."""
    path = batch.database.path
    return str(batch.database) if path is None else path.name.removesuffix(SUFFIX)


def plan_data(batch: Batch, before: Summary | None) -> dict[str, Any]:
    """The plan, for programs."""
    data = {**attrs.asdict(batch.plan), "database": str(batch.database)}
    return data if before is None else {**data, "so_far": summary_data(before)}


def plan_lines(batch: Batch, before: Summary | None, name: str) -> list[str]:
    """The plan, for people."""
    plan = batch.plan
    width = max(len(f"{count:,}") for count in plan.by_endpoint.values())
    lines = [f"{name}: {plan.rows:,} row{'' if plan.rows == 1 else 's'}"]
    lines += [f"  {count:>{width},} {endpoint}" for endpoint, count in sorted(plan.by_endpoint.items())]
    least = "at least " if plan.at_least else ""
    lines.append(f"cost      {least}{plan.credits:,} credits for all rows")
    files = f"{plan.uploads:,} file{'' if plan.uploads == 1 else 's'}, {size(plan.upload_bytes)}"
    lines.append(f"uploads   {files if plan.uploads else 'none'}")
    lines.append(f"database  {shown(str(batch.database))}")
    if before is not None:
        lines.append(f"so far    {', '.join(counted(before))}; {before.credits:,.10g} credits")
    return lines


def remarks(rows: Iterable[Row]) -> list[str]:
    """What is odd about values that will be sent all the same: they cost something if they are mistakes."""
    asked = Counter(question for row in rows for question in unlisted_in(f"v1.{row.endpoint}.create", row.parameters))
    return [f"{number:,} row{'' if number == 1 else 's'}: {question}" for question, number in asked.items()]


def counted(summary: Summary) -> list[str]:
    """How many rows have each status, in words."""
    return [f"{summary.counts[status]:,} {status}" for status in RowStatus if summary.counts.get(status)]


def summary_data(summary: Summary) -> dict[str, Any]:
    """How a batch stands, for programs."""
    counts = {status.value: summary.counts.get(status, 0) for status in RowStatus}
    strays = [{**attrs.asdict(stray), "credits": rounded(stray.credits)} for stray in summary.strays]
    about = {"credits": rounded(summary.credits), "halted": summary.halted, "strays": strays}
    return {"rows": summary.rows, "counts": counts, **about}


def stray_lines(summary: Summary) -> list[str]:
    """The jobs that were charged beside those of their rows."""
    return [
        f"job {shown(stray.id)} ({shown(stray.name)}) of row {shown(stray.key)}, which has another job or is gone: "
        f"{'unknown' if stray.credits is None else f'{stray.credits:,.10g}'} credits"
        for stray in summary.strays
    ]
