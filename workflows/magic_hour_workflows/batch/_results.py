"""What became of each row, as files: `results.jsonl` for programs, `results.csv` for spreadsheets.

Rule: both say the same, row by row, in one order; a reader sees the old file or the new one, never half of one.
"""

from __future__ import annotations

import csv
import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from magic_hour_client.errors import escaped, without_secrets

from ._rows import RowResult

FIELDS = (
    "key", "endpoint", "status", "id", "credits", "paths", "sizes", "sha256", "seconds", "error", "error_type", "name",
    "kind",
)  # fmt: skip
"""The fields of a line of `results.jsonl`, and the columns of `results.csv`."""

SEPARATOR = "|"
"""Between the paths, the sizes, and the SHA-256 sums, of one row in `results.csv`: no safe file name has it."""

# What makes a spreadsheet read a cell as a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # the last four are the wide forms of the first


def write_results(directory: str | os.PathLike[str], results: Iterable[RowResult]) -> tuple[Path, Path]:
    """Write `results.jsonl` and `results.csv`, over those of an earlier run.

    In `results.jsonl` a line is an object with all of `FIELDS`; paths are relative to the directory, with `/`; numbers
    have three decimals at most. In `results.csv` several paths, sizes or SHA-256 sums are joined with `|`, what is
    not known is empty, and an apostrophe stands before text that a spreadsheet would run as a formula.

    Args:
        directory: where the outputs are; made if it is missing.
        results: the rows, in the order in which they shall stand; gone through once.

    Returns:
        The two files.

    Raises:
        OSError: the disk is full, or a spreadsheet holds the file open; the old files are as they were.
    """
    folder = Path(directory)
    lines, table = folder / "results.jsonl", folder / "results.csv"
    # With its byte order mark, without which Excel takes UTF-8 for an old code page.
    with replaced(lines) as jsonl, replaced(table, encoding="utf-8-sig", newline="") as sheet:
        # All in quotes: where `;` separates columns, a spreadsheet would else find cells inside of cells.
        writer = csv.writer(sheet, quoting=csv.QUOTE_ALL)
        writer.writerow(FIELDS)
        for result in results:
            row = record(result, folder)
            jsonl.write(json.dumps(row) + "\n")  # ASCII, so that no reader finds other ends of lines in it
            writer.writerow([_cell(value) for value in readable(row).values()])
    return lines, table


def record(result: RowResult, directory: Path) -> dict[str, Any]:
    """A row's result as JSON can say it, its paths relative to the directory."""
    values: dict[str, Any] = {field: getattr(result, field) for field in FIELDS}
    values["status"] = result.status.value
    values |= {name: short(values[name]) for name in ("credits", "seconds")}
    values["paths"] = [relative(path, directory) for path in result.paths]
    if result.error is not None:
        values["error"] = without_secrets(result.error)
    return values


def readable(row: dict[str, Any]) -> dict[str, Any]:
    """The record for people: what the service said has nothing in it that a program would obey. Paths and keys are the
    caller's own, and programs find the rest as it is in `results.jsonl`."""
    said = {name: escaped(row[name]) for name in ("id", "error") if isinstance(row[name], str)}
    return {**row, **said}


def short(value: float | None) -> float | None:
    """A number as people write it: to three decimals, and whole if it is; None for what is no number.

    >>> short(2.0), short(0.1 + 0.2), short(12.345678901234), short(float("nan"))
    (2, 0.3, 12.346, None)
    """
    if value is None or not math.isfinite(value):
        return None
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded


def relative(path: Path, directory: Path) -> str:
    """A path as seen from the directory, with `/` on every system."""
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
def replaced(path: Path, *, encoding: str = "utf-8", newline: str = "\n") -> Iterator[TextIO]:
    """A file to write to that takes the place of `path` once the block has ended well.

    What UTF-8 cannot say, such as a file name in another encoding, is written as `\\udc80`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(unfinished, "x", encoding=encoding, newline=newline, errors="backslashreplace") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
