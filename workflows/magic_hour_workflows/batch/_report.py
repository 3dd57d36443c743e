"""The contact sheet of a batch: one page, `report.html`, that opens from the disk beside the media it shows.

Rule: every text of the rows is hostile. It reaches the page as JSON, the page's script puts it into text nodes only,
and its Content-Security-Policy lets nothing run but that script and nothing load but files of the place it lies in.

The pictures are their own thumbnails: a page shows 48 rows and loads what is scrolled to, so smaller copies would
cost a library for pictures and as many files again, which could fall behind the outputs.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .._formatting import typed
from ._results import readable, record, relative, replaced
from ._rows import RowResult, RowStatus, Summary

LABELS = {
    RowStatus.SAVED: "Saved",
    RowStatus.FAILED: "Failed",
    RowStatus.DOUBTFUL: "Doubtful",
    RowStatus.RUNNING: "Running",
    RowStatus.WAITING: "Waiting",
    RowStatus.SKIPPED: "Skipped",
}
"""What each status is called on the page, in the order in which they are shown."""


def write_report(
    directory: str | os.PathLike[str],
    results: Iterable[RowResult],
    summary: Summary,
    title: str,
    *,
    options: Sequence[str] = (),
) -> Path:
    """Write `report.html`, over that of an earlier run.

    Args:
        directory: where the outputs are; the page names them relative to it, so both can be moved together.
        results: the rows, in the order in which they shall stand.
        summary: how the batch stands.
        title: what the page is called, such as the name of the manifest.
        options: what the commands on the page have to be told, such as `--database` and the path.

    Returns:
        The page.

    Raises:
        ModuleNotFoundError: the extra `batch` is not installed.
        OSError: the page cannot be written; the old one is as it was.
    """
    folder = Path(directory)
    page = _template().generate(
        title=title,
        summary=summary,
        labels=LABELS,
        rows=[_row(result, folder, options) for result in results],
        style=_part("report.css"),
        script=_part("report.js"),
    )
    path = folder / "report.html"
    with replaced(path) as file:
        file.writelines(page)
    return path


def remedy(result: RowResult, options: Sequence[str] = ()) -> list[tuple[str, str]]:
    """What to do about a row that is not saved: sentences, each with its command or without one.

    Args:
        result: the row.
        options: what commands about its batch have to be told.
    """
    match result.status:
        case RowStatus.FAILED:
            retry = typed(["magic-hour", "batch", "retry", *options])
            return [("Fix the cause, then retry the failed rows:", retry)]
        case RowStatus.DOUBTFUL:
            settle, key = typed(["magic-hour", "batch", "settle", *options]), _argument(result.key)
            where = f"Look for {result.name!r} in the web app." if result.name else "Look for it in the web app."
            return [
                (f"{where} If it is there, go on with its id:", f"{settle} --project ID {key}"),
                (
                    "If it is not there, this waits until it cannot appear any more and asks again:",
                    f"{settle} --not-charged {key}",
                ),
            ]
        case RowStatus.SKIPPED:
            return [("Run the batch again with a higher --max-credits to do this row as well.", "")]
        case RowStatus.WAITING | RowStatus.RUNNING:
            return [("Run the batch again: it goes on where it stopped.", "")]
        case _:
            return []


def _argument(key: str) -> str:
    """A key as the last argument of a command, which may be pasted into a shell."""
    if not key.isprintable():  # what a terminal would act upon is typed by hand
        return "KEY"
    return f"-- {shlex.quote(key)}" if key.startswith("-") else shlex.quote(key)


def _row(result: RowResult, folder: Path, options: Sequence[str]) -> dict[str, Any]:
    row = readable(record(result, folder))
    row["urls"] = [_url(path, folder) for path in result.paths]
    row["remedy"] = remedy(result, options)
    return {name: value for name, value in row.items() if value not in (None, [])}


def _url(path: Path, folder: Path) -> str:
    seen = relative(path, folder)
    return path.absolute().as_uri() if os.path.isabs(seen) else quote(os.fsencode(seen))


def _part(name: str) -> str:
    """A file that lies beside this one, as it stands."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """By what a Content-Security-Policy knows an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _number(value: float) -> str:
    """
    >>> _number(12500), _number(0.5)
    ('12,500', '0.5')
    """
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _template() -> Any:
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError as error:
        remedy = "pip install 'magic-hour-workflows[batch]'"
        raise ModuleNotFoundError(f"the report needs {error.name}: {remedy}", name=error.name) from None
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {}  # else the labels come sorted by their names
    environment.filters.update(digest=_digest, number=_number)
    return environment.from_string(_part("report.html.jinja"))
