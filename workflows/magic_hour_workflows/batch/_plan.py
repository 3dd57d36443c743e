"""What a batch will do and cost, before it begins: rows, credits, uploads.

Rule: nothing is sent, and no file is read that need not be: only files of the same size and type can be the same.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from magic_hour_client._runtime.schema import merged
from magic_hour_client.types import AssetRole

from .._credits import Estimate, estimate
from .._formatting import shown
from .._sources import form_of
from ..errors import AssetNotFound
from ._endpoints import api
from ._output_dir import digest
from ._rows import Plan, Row


@attrs.frozen
class Input:
    """A file that a row needs uploaded: the same bytes for the same role and with the same extension go up once."""

    role: AssetRole
    extension: str
    path: str


def plan(rows: Iterable[Row]) -> Plan:
    """What a batch of these rows, as `read` gives them, will do and cost.

    Raises:
        AssetNotFound: a file is gone.

    Example:
        >>> fox = {"image_count": 2, "style": {"prompt": "A red fox"}}
        >>> face = {"assets": {"image_file_path": portrait}}
        >>> plan([
        ...     Row(key="fox", endpoint="ai_image_generator", parameters=fox),
        ...     Row(key="anna", endpoint="ai_headshot_generator", parameters=face),
        ...     Row(key="anna again", endpoint="ai_headshot_generator", parameters=face),
        ... ]).uploads
        1
    """
    by_endpoint: Counter[str] = Counter()
    credits, at_least = 0, False
    files: dict[Input, None] = {}
    for row in rows:
        by_endpoint[row.endpoint] += 1
        price = estimate_row(row)
        credits, at_least = credits + price.credits, at_least or price.at_least
        files.update(dict.fromkeys(inputs(row)))
    sizes = list(_distinct(files))
    return Plan(
        rows=by_endpoint.total(),
        by_endpoint=dict(by_endpoint),
        credits=credits,
        at_least=at_least,
        uploads=len(sizes),
        upload_bytes=sum(sizes),
    )


def estimate_row(row: Row) -> Estimate:
    """What one row will cost, by the contract's prices.

    Example:
        >>> print(estimate_row(Row(key="a", endpoint="ai_headshot_generator", parameters={})))
        50 credits
    """
    parameters = {name: value for name, value in row.parameters.items() if name != "extra_body"}
    return estimate(api(row.endpoint).ENDPOINT, merged(parameters, row.parameters.get("extra_body")))


def inputs(row: Row) -> Iterator[Input]:
    """The files of a row that have to be uploaded; URLs and remote paths are the service's to look up."""
    for field in api(row.endpoint).ENDPOINT.assets:
        value = _at(row.parameters, field.path)
        for item in value if field.many and isinstance(value, list) else [value]:
            if isinstance(item, str) and os.path.isabs(item):
                try:
                    extension, role = form_of(Path(item), field.role, ".".join(field.path))
                except OSError:
                    raise _gone(item) from None
                yield Input(role, extension, item)


def _distinct(files: Iterable[Input]) -> Iterator[int]:
    """The size of every file that differs from the others in content, extension or role."""
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
    return AssetNotFound(f"{shown(path)} is no longer there; check the path")


def _at(node: Any, path: Sequence[str]) -> Any:
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
