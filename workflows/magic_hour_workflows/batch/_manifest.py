"""A manifest, read and checked: from JSONL, CSV or objects in memory to the rows of a batch.

    {"key": "fox", "endpoint": "ai_image_generator", "image_count": 1, "style": {"prompt": "A red fox in the snow"}}
    {"key": "anna", "endpoint": "ai_headshot_generator", "assets": {"image_file_path": "portraits/anna.jpg"}}

The parameters are those of `generate`, beside `key` and `endpoint` or in an object of their own, `parameters`. A table
has them as columns, `style.prompt`, `assets.image_file_paths[0]`. Paths begin at the manifest's folder.

Rule: all mistakes of all rows are told at once, before anything is uploaded or charged. A row is known by its key
alone, never by its place, which changes as soon as somebody sorts the table.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from magic_hour_client._runtime.schema import wrong_type
from magic_hour_client.errors import InvalidArgument

from .._formatting import looked_in, reason, shown
from ..errors import AssetNotFound
from ._checking import Checker
from ._columns import from_csv
from ._endpoints import resource
from ._entries import Collector, Entry, from_jsonl, from_memory
from ._mistakes import ManifestError, Mistake
from ._rows import Row

RowLike = Row | Mapping[str, Any] | tuple[str, str, Mapping[str, Any]]
_FORMATS: Mapping[str, Callable[[Path, Collector], Iterator[Entry]]] = {
    ".jsonl": from_jsonl,
    ".ndjson": from_jsonl,
    ".csv": from_csv,
}


def read(source: str | os.PathLike[str] | Iterable[RowLike], *, endpoint: str | None = None) -> list[Row]:
    """Read a manifest and check every row of it. Nothing is sent.

    Args:
        source: a file of JSON lines (.jsonl, .ndjson) or a table (.csv), or rows: each a `Row`, a dict with `key`,
            `endpoint` and the parameters, or `(key, endpoint, parameters)`. Relative paths begin at the file's folder,
            or at the current one.
        endpoint: that of rows that name none.

    Raises:
        ManifestError: some rows cannot be right; it lists every mistake with its line and field.
        InvalidArgument: there is no such manifest, or nothing in it.

    Example:
        >>> from pathlib import Path
        >>> manifest = Path(folder, "foxes.csv")
        >>> _ = manifest.write_text("key,image_count,style.prompt\\nred,1,A red fox\\narctic,2,An arctic fox\\n")
        >>> [row.key for row in read(manifest, endpoint="ai_image_generator")]
        ['red', 'arctic']
        >>> read([("red", "ai_image_generator", {"image_count": 1, "style": {}})])
        Traceback (most recent call last):
        ...
        magic_hour_workflows.batch._mistakes.ManifestError: the rows: 1 mistake, so nothing was uploaded or charged
          line 1, key red: `style.prompt` is missing: it is required
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
        raise InvalidArgument(f"`manifest`: there is no row in {name}; give one at least", field="manifest")
    return rows


def checked_path(source: str | os.PathLike[str]) -> Path:
    """The file a manifest is in.

    Raises:
        InvalidArgument: there is none, it cannot be read, or it is of another format.
    """
    field = "manifest"
    try:
        path = Path(source).expanduser()
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):  # opening anything else could wait for ever
            path.open("rb").close()
    except FileNotFoundError:
        message = f"`{field}`: there is no file {shown(source)}{looked_in(source)}; check the path"
        raise AssetNotFound(message, field=field) from None
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        message = f"`{field}`: {shown(source)} cannot be read ({reason(error)}); check the path"
        raise InvalidArgument(message, field=field) from None
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise InvalidArgument(f"`{field}`: {shown(path)} is {what}; give a file", field=field)
    if path.suffix.lower() not in _FORMATS:
        wanted = f"expected {', '.join(_FORMATS)}; save a sheet as CSV, and a list as one JSON object per line"
        raise InvalidArgument(f"`{field}`: {shown(path.name)} is of another format: {wanted}", field=field)
    return path


def fingerprint(row: Row) -> str:
    """What a row asks for, as a SHA-256 in hexadecimal: the same key must never come to mean something else.

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
    """JSON with every whole number written in one way."""
    if isinstance(node, Mapping):
        return {name: _plain(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


__all__ = ["ManifestError", "Mistake", "RowLike", "checked_path", "fingerprint", "read"]
