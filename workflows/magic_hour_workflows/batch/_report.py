"""The results of a batch as files: JSON lines for programs, CSV for spreadsheets, a page for people.

Rules: readers see the old file or the new one, never half of one. Every text of a row is untrusted: it reaches the page
as JSON, the page's script puts it into text nodes only, and its Content-Security-Policy allows that script and local
media, nothing else.

There are no thumbnails: the page shows 48 rows at a time and loads what is scrolled to, so smaller copies would cost an
image library and as many files again, which could get out of date.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import math
import os
import secrets
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from magic_hour_client._runtime.redaction import escaped, without_secrets

from .._formatting import typed
from ._rows import RowResult, RowStatus, Summary

FIELDS = (
    "key", "endpoint", "status", "id", "credits", "paths", "sizes", "sha256", "seconds", "error", "error_type", "name",
    "kind", "prompt", "inputs",
)  # fmt: skip
"""The fields of a line of `results.jsonl`, and the columns of `results.csv`."""

SEPARATOR = "|"
"""Joins the paths, sizes, SHA-256 sums and inputs of one row in `results.csv`; names of outputs do not contain it."""

_DATA_URL = 30
"""Characters of a data: URL that are shown."""
_LONGEST_PROMPT = 2000
"""Characters of a prompt on the page; tables have all of it."""


# Characters that make a spreadsheet read a cell as a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # the last four are full-width forms of the first


def write_results(directory: str | os.PathLike[str], results: Iterable[RowResult]) -> tuple[Path, Path]:
    """Write `results.jsonl` and `results.csv`, replacing those of an earlier run.

    A line of `results.jsonl` is an object with all of `FIELDS`; paths are relative to the directory, with `/`; numbers
    have at most three decimals. In `results.csv` several paths, sizes, SHA-256 sums or inputs are joined with `|`,
    unknown values are empty, and an apostrophe precedes text that a spreadsheet would run as a formula.

    Raises:
        OSError: the disk is full, or a spreadsheet has the file open; the old files are unchanged.
    """
    folder = Path(directory)
    lines, table = folder / "results.jsonl", folder / "results.csv"
    # With a byte order mark: without it Excel does not recognize UTF-8.
    with written_atomically(lines) as jsonl, written_atomically(table, encoding="utf-8-sig", newline="") as sheet:
        # All quoted: where `;` separates columns, a spreadsheet would split unquoted cells.
        writer = csv.writer(sheet, quoting=csv.QUOTE_ALL)
        writer.writerow(FIELDS)
        for result in results:
            row = record(result, folder)
            jsonl.write(json.dumps(row) + "\n")  # ASCII, so that no reader finds other line breaks in it
            writer.writerow([_cell(value) for value in readable(row).values()])
    return lines, table


def record(result: RowResult, directory: Path) -> dict[str, Any]:
    """The result of a row as JSON values, with paths relative to the directory."""
    values: dict[str, Any] = {field: getattr(result, field) for field in FIELDS}
    values["status"] = result.status.value
    values |= {name: rounded(values[name]) for name in ("credits", "seconds")}
    values["paths"] = [relative(path, directory) for path in result.paths]
    values["inputs"] = [_input(given, directory) for given in result.inputs]
    if result.error is not None:
        values["error"] = without_secrets(result.error)
    return values


def _input(given: str, directory: Path) -> str:
    """An input file as it is shown: a local path relative to the directory, anything else without secrets."""
    if os.path.isabs(given):
        return relative(Path(given), directory)
    return f"{given[:_DATA_URL]}..." if given[:5].lower() == "data:" else without_secrets(given)


def readable(row: dict[str, Any]) -> dict[str, Any]:
    """The record for people: texts of the service are escaped, so that no terminal or program acts on them. Paths and
    keys are the caller's own; programs find the original texts in `results.jsonl`.
    """
    shown = {name: escaped(row[name]) for name in ("id", "error") if isinstance(row[name], str)}
    return {**row, **shown}


def rounded(value: float | None) -> float | None:
    """A number with at most three decimals, an integer if it is one; None if it is not finite.

    >>> rounded(2.0), rounded(0.1 + 0.2), rounded(12.345678901234), rounded(float("nan"))
    (2, 0.3, 12.346, None)
    """
    if value is None or not math.isfinite(value):
        return None
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded


def relative(path: Path, directory: Path) -> str:
    """A path relative to the directory, with `/` on every system."""
    try:
        seen = os.path.relpath(path, directory)
    except ValueError:  # another drive
        return path.absolute().as_posix()
    return seen.replace(os.sep, "/")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    text = SEPARATOR.join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


@contextmanager
def written_atomically(path: Path, *, encoding: str = "utf-8", newline: str = "\n") -> Iterator[TextIO]:
    """A file to write to, which replaces `path` when the block ends without an error.

    Text that UTF-8 cannot encode, such as a file name in another encoding, is written as `\\udc80`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(unfinished, "x", encoding=encoding, newline=newline, errors="backslashreplace") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


_ORDER = ("saved", "failed", "doubtful", "running", "waiting", "skipped")
LABELS = {RowStatus(status): status.capitalize() for status in _ORDER}
"""The label of each status on the page, in display order."""


def write_report(
    directory: str | os.PathLike[str],
    results: Iterable[RowResult],
    summary: Summary,
    title: str,
    *,
    options: Sequence[str] = (),
) -> Path:
    """Write `report.html`, replacing that of an earlier run.

    The page has relative paths, so it can be moved together with the outputs. `options` are for the commands on it,
    such as `--database` and the path.

    Raises:
        ModuleNotFoundError: the extra `batch` is not installed.
        OSError: the page cannot be written; the old one is unchanged.
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
    with written_atomically(path) as file:
        file.writelines(page)
    return path


def remedy(result: RowResult, options: Sequence[str] = ()) -> list[tuple[str, str]]:
    """What to do about a row that is not saved: sentences, each with a command or ""."""
    match result.status:
        case RowStatus.FAILED:
            retry = typed(["magic-hour", "batch", "retry", *options])
            return [("Fix the cause, then retry the failed rows:", retry)]
        case RowStatus.DOUBTFUL:
            settle, key = typed(["magic-hour", "batch", "settle", *options]), _argument(result.key)
            where = f"Look for {result.name!r} in the web app." if result.name else "Look for it in the web app."
            return [
                (f"{where} If it is there, continue with its id:", f"{settle} --project ID {key}"),
                (
                    "If it is not there, this waits until it can no longer appear, then asks again:",
                    f"{settle} --not-charged {key}",
                ),
            ]
        case RowStatus.SKIPPED:
            return [("Run the batch again with a higher --max-credits to include this row.", "")]
        case RowStatus.WAITING | RowStatus.RUNNING:
            return [("Run the batch again: it continues where it stopped.", "")]
        case _:
            return []


def _argument(key: str) -> str:
    """A key as the last argument of a command that can be pasted into a shell."""
    if not key.isprintable():  # a terminal could act on it: to be typed by hand
        return "KEY"
    return f"-- {shlex.quote(key)}" if key.startswith("-") else shlex.quote(key)


def _row(result: RowResult, folder: Path, options: Sequence[str]) -> dict[str, Any]:
    row = readable(record(result, folder))
    row["urls"] = [_url(path, folder) for path in result.paths]
    row["input_urls"] = [_url(Path(given), folder) if os.path.isabs(given) else "" for given in result.inputs]
    row["remedy"] = remedy(result, options)
    if len(row["prompt"] or "") > _LONGEST_PROMPT:
        row["prompt"] = f"{row['prompt'][:_LONGEST_PROMPT]}…"
    return {name: value for name, value in row.items() if value not in (None, [])}


def _url(path: Path, folder: Path) -> str:
    seen = relative(path, folder)
    return path.absolute().as_uri() if os.path.isabs(seen) else quote(os.fsencode(seen))


def _part(name: str) -> str:
    """The text of a file next to this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The hash of an inline script or style for a Content-Security-Policy."""
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
    environment.policies["json.dumps_kwargs"] = {}  # else the labels would be sorted by name
    environment.filters.update(digest=_digest, number=_number)
    return environment.from_string(_part("report.html.jinja"))
