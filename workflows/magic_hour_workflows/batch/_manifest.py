"""From a manifest to a plan: read JSONL, CSV or Python objects, check every row, and estimate what they cost.

    {"key": "fox", "endpoint": "ai_image_generator", "image_count": 1, "style": {"prompt": "A red fox in the snow"}}
    {"key": "anna", "endpoint": "ai_headshot_generator", "assets": {"image_file_path": "portraits/anna.jpg"}}

The parameters are those of `generate`, next to `key` and `endpoint` or in an object of their own, `parameters`. A table
has them as columns: `style.prompt`, `assets.image_file_paths[0]`. Paths are relative to the manifest's directory.

Rule: all mistakes of all rows are reported at once, before anything is uploaded or charged. Only its key identifies a
row: its position changes as soon as somebody sorts the table.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from magic_hour_client._runtime.schema import merged, wrong_type
from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import AssetRole

from .._assets import replaced
from .._credits import NOT_DOCUMENTED, Estimate, estimate
from .._formatting import looked_in, reason, shown
from .._operations import operations
from .._sources import Roles, form_of
from ..errors import AssetNotFound, ManifestError
from ._csv_table import from_csv
from ._entries import Collector, Entry, endpoint_of, from_jsonl, from_memory, resource
from ._output_dir import digest
from ._row_checks import Checker
from ._rows import Plan, Planned, Row

RowLike = Row | Mapping[str, Any] | tuple[str, str, Mapping[str, Any]]

_FORMATS: Mapping[str, Callable[[Path, Collector], Iterator[Entry]]] = {
    ".jsonl": from_jsonl,
    ".ndjson": from_jsonl,
    ".csv": from_csv,
}


def read(source: str | os.PathLike[str] | Iterable[RowLike], *, endpoint: str | None = None) -> list[Row]:
    """Read a manifest and check every row. Nothing is sent.

    Args:
        source: a file of JSON lines (.jsonl, .ndjson) or a table (.csv), or rows: each a `Row`, a dict with `key`,
            `endpoint` and the parameters, or `(key, endpoint, parameters)`. Relative paths start at the directory of
            the file, or at the current one.
        endpoint: the endpoint of rows that do not name one.

    Raises:
        ManifestError: some rows are invalid; it lists every mistake with its line and field.
        InvalidArgument: the manifest does not exist or is empty.

    Example:
        >>> from pathlib import Path
        >>> manifest = Path(folder, "foxes.csv")
        >>> _ = manifest.write_text("key,image_count,style.prompt\\nred,1,A red fox\\narctic,2,An arctic fox\\n")
        >>> [row.key for row in read(manifest, endpoint="ai_image_generator")]
        ['red', 'arctic']
        >>> read([("red", "ai_image_generator", {"image_count": 1, "style": {}})])
        Traceback (most recent call last):
        ...
        magic_hour_workflows.errors.ManifestError: the rows: 1 mistake, so nothing was uploaded or charged
          line 1, key red: `style.prompt`: required, but missing
    """
    found = Collector(None if endpoint is None else resource(endpoint))
    if isinstance(source, (str, os.PathLike)):
        path = checked_path(source)
        name, folder = shown(path.name), path.parent
        entries = _FORMATS[path.suffix.lower()](path, found)
    elif isinstance(source, (bytes, Mapping)) or not isinstance(source, Iterable):
        raise wrong_type("manifest", "the path of a manifest or a list of rows", source)
    else:
        name, folder = "the rows", Path()
        entries = from_memory(source, found)
    checker = Checker(folder, found)
    rows = [row for entry in entries if (row := checker.row(entry)) is not None]
    if found.mistakes:
        raise ManifestError(name, found.mistakes)
    if not rows:
        raise InvalidArgument(f"{name} has no rows", field="manifest")
    return rows


def checked_path(source: str | os.PathLike[str]) -> Path:
    """The path of a manifest.

    Raises:
        InvalidArgument: it does not exist, cannot be read, or has another format.
    """
    field = "manifest"
    try:
        path = Path(source).expanduser()
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):  # opening anything else could block forever
            path.open("rb").close()
    except FileNotFoundError:
        raise AssetNotFound(
            f"there is no file {shown(source)}{looked_in(source)}", "check the path", field=field
        ) from None
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise InvalidArgument(
            f"{shown(source)} cannot be read ({reason(error)})", "check the path", field=field
        ) from None
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise InvalidArgument(f"{shown(path)} is {what}", "pass a file", field=field)
    if path.suffix.lower() not in _FORMATS:
        problem = f"{shown(path.name)} has an unknown format: expected {', '.join(_FORMATS)}"
        remedy = "save a spreadsheet as CSV, or write one JSON object per line"
        raise InvalidArgument(problem, remedy, field=field)
    return path


def fingerprint(row: Row) -> str:
    """The SHA-256 of what a row asks for, in hexadecimal: a key must always mean the same job.

    The key, the line and the order of the parameters do not matter, nor whether a number is written 2 or 2.0.

    Example:
        >>> one = Row(key="a", endpoint="ai_talking_photo", parameters={"start_seconds": 0, "end_seconds": 2})
        >>> same = Row(key="b", endpoint="ai_talking_photo", parameters={"end_seconds": 2.0, "start_seconds": 0})
        >>> fingerprint(one) == fingerprint(same)
        True
    """
    text = json.dumps([row.endpoint, _plain(row.parameters)], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(node: Any) -> Any:
    """JSON in which every integral number is an integer."""
    if isinstance(node, Mapping):
        return {name: _plain(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


def planned(rows: Iterable[Row]) -> list[Planned]:
    """The rows as they are stored."""
    known = operations()
    return [
        Planned(
            row, fingerprint(row), estimate_row(row).highest or 0, known[f"v1.{row.endpoint}.create"]["project_kind"]
        )
        for row in rows
    ]


@attrs.frozen
class Input:
    """A file to upload. The same bytes with the same role and extension are uploaded once."""

    role: AssetRole
    extension: str
    path: str


def plan(rows: Iterable[Row]) -> Plan:
    """What a batch of these rows, as `read` returns them, will do and cost.

    Files are only read if another one has the same size and type: only those can have the same content.

    Raises:
        AssetNotFound: a file is gone.

    Example:
        >>> fox = {"image_count": 2, "style": {"prompt": "A red fox"}}
        >>> face = {"assets": {"image_file_path": str(folder / "portrait.jpg")}}
        >>> plan([
        ...     Row(key="fox", endpoint="ai_image_generator", parameters=fox),
        ...     Row(key="anna", endpoint="ai_headshot_generator", parameters=face),
        ...     Row(key="anna again", endpoint="ai_headshot_generator", parameters=face),
        ... ]).uploads
        1
    """
    by_endpoint: Counter[str] = Counter()
    prices: list[Estimate] = []
    files: dict[Input, None] = {}
    for row in rows:
        by_endpoint[row.endpoint] += 1
        prices.append(estimate_row(row))
        files.update(dict.fromkeys(inputs(row)))
    sizes = list(_distinct(files))
    return Plan(
        rows=by_endpoint.total(),
        by_endpoint=dict(by_endpoint),
        credits=sum(price.credits for price in prices),
        at_most=None if any(price.at_least for price in prices) else sum(price.at_most or 0 for price in prices),
        undocumented=prices.count(NOT_DOCUMENTED),
        uploads=len(sizes),
        upload_bytes=sum(sizes),
    )


def estimate_row(row: Row) -> Estimate:
    """What one row will cost, by the prices in the contract.

    Example:
        >>> print(estimate_row(Row(key="a", endpoint="ai_headshot_generator", parameters={})))
        50 credits
    """
    parameters = {name: value for name, value in row.parameters.items() if name != "extra_body"}
    return estimate(endpoint_of(row.endpoint), merged(parameters, row.parameters.get("extra_body")))


def check_budget(rows: Iterable[Row], max_credits: float | None) -> None:
    """Refuse a budget that cannot count every row.

    Raises:
        InvalidArgument: the price of a row is not documented.
    """
    for row in rows if max_credits is not None else ():
        if not endpoint_of(row.endpoint).prices:
            raise InvalidArgument(
                f"the price of {row.endpoint} (row {shown(row.key)}) is not documented, so no budget can count it",
                "run such rows in a batch of their own, without a budget",
                field="max_credits",
            )


def inputs(row: Row) -> Iterator[Input]:
    """The files of a row to upload; URLs and remote paths are looked up by the service."""
    found: list[Input] = []
    for field in endpoint_of(row.endpoint).assets:

        def note(item: Any, where: str, roles: Roles = field.roles) -> Any:
            if isinstance(item, str) and os.path.isabs(item):
                try:
                    extension, role = form_of(Path(item), roles, where)
                except OSError:
                    raise _gone(item) from None
                found.append(Input(role, extension, item))
            return item

        replaced(row.parameters, field.path, note)
    yield from found


def _distinct(files: Iterable[Input]) -> Iterator[int]:
    """The size of every file with a different content, extension or role."""
    alike: defaultdict[tuple[str, str, int], dict[tuple[int, int], str]] = defaultdict(dict)
    for file in files:
        try:
            found = os.stat(file.path)
        except OSError:
            raise _gone(file.path) from None
        alike[file.role, file.extension, found.st_size][found.st_dev, found.st_ino] = file.path
    for (_, _, size), same in alike.items():
        paths: Sequence[str] = list(same.values())
        for _ in paths if len(paths) == 1 else {digest(Path(path)) for path in paths}:
            yield size


def _gone(path: str) -> AssetNotFound:
    return AssetNotFound(f"{shown(path)} is no longer there", "check the path")
