"""Reading a manifest from a CSV table: one column per field, named as errors name it.

    key,endpoint,image_count,style.prompt
    fox,ai_image_generator,1,A red fox in the snow

Rule: the contract defines the type of a cell, so a number is only a number where the contract has one. An empty cell
is a field that is not given.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from magic_hour_client._runtime.schema import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    Kind,
    List,
    Object,
    Parsed,
    Scalar,
    Union,
    unknown_field,
)
from magic_hour_client.errors import InvalidArgument

from .._formatting import shown
from ._entries import (
    NO_KEY,
    RESERVED,
    Collector,
    Entry,
    endpoint_names,
    endpoint_of,
    lines,
    no_endpoint,
    parsed,
    reserved_option,
    resource,
)

Step = str | int

_PART = re.compile(r"([^.\[\]]+)((?:\[\d{1,4}\])*)")

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

_DEEPEST = 6
"""How many levels of fields are listed for a hint; some fields nest without end."""


def from_csv(path: Path, found: Collector) -> Iterator[Entry]:
    """The entries of a CSV file with a header."""
    reader = csv.reader((text for _, text in lines(path, found)), strict=True)
    table: Table | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            found.add(line, None, None, f"invalid CSV: {error}")
            continue
        if cells is None:
            return
        if not any(cells):  # spreadsheets add such rows at the end
            continue
        if table is None:
            table = Table(line, cells, found)
        elif len(cells) != len(table.columns):
            message = f"{len(cells)} cells for {len(table.columns)} columns; quote text that contains a comma"
            found.add(line, None, None, message)
        else:
            yield table.entry(line, cells)


class Table:
    """The header of the table and the rows below it."""

    def __init__(self, line: int, header: Sequence[str], found: Collector) -> None:
        self.columns: list[str] = [column.strip() for column in header]
        self._found = found
        self._fields: list[tuple[int, str, tuple[Step, ...]]] = []
        for column, times in Counter(self.columns).items():
            if times > 1 and column:
                found.add(line, None, column, f"`{column}` names {times} columns; keep one")
        if "key" not in self.columns:
            separated = len(header) == 1 and any(mark in header[0] for mark in ";\t")
            hint = "; separate the columns with commas" if separated else ""
            found.add(line, None, "key", NO_KEY + hint)
        if "endpoint" not in self.columns and found.endpoint is None:
            found.add(line, None, "endpoint", no_endpoint("column"))
        for number, column in enumerate(self.columns):
            if column not in ("", "key", "endpoint"):
                self._add(line, number, column)

    def _add(self, line: int, number: int, column: str) -> None:
        """Add a column that some endpoint has; any other is reported once, not for every row."""
        path = steps(column)
        if column in RESERVED:
            self._found.add(line, None, column, str(reserved_option(column)))
        elif not any(kind_at(each, path) for each in set(endpoint_names().values())) and column != "extra_body":
            self._found.add(line, None, column, str(unknown_field("", column, dict.fromkeys(_known()))))
        else:
            self._fields.append((number, column, path))

    def entry(self, line: int, cells: Sequence[str]) -> Entry:
        """One row."""
        key, endpoint = self._cell(cells, "key", line), self._cell(cells, "endpoint", line) or self._found.endpoint
        for number, (column, text) in enumerate(zip(self.columns, cells, strict=True), 1):
            if text and not column:
                self._found.add(line, key, None, f"column {number} has no name in the header")
        try:
            of = None if endpoint is None else resource(endpoint)
        except InvalidArgument:
            of = None  # reported when the row is checked
        tree = _Tree()
        for number, column, path in self._fields if of else ():
            if cells[number] and of:
                self._put(tree, line, key, column, path, of, cells[number])
        return Entry(line, key, endpoint, _plain(tree))

    def _cell(self, cells: Sequence[str], column: str, line: int) -> str | None:
        """The key or the endpoint; a value that is missing only in this row is reported here."""
        if column not in self.columns:
            return None
        text = cells[self.columns.index(column)]
        if not text and not (column == "endpoint" and self._found.endpoint):
            self._found.add(line, None, column, f"`{column}`: the cell is empty; every row needs a value")
        return text or None

    def _put(self, tree: _Tree, line: int, key: Any, column: str, path: Sequence[Step], of: str, text: str) -> None:
        kind = kind_at(of, path)
        try:
            value = parsed(text) if column == "extra_body" else converted(kind, text)
        except (ValueError, RecursionError) as error:
            wanted = f"{kind.noun}, got {shown(text)}" if isinstance(kind, Scalar) else f"JSON: {error}"
            self._found.add(line, key, column, f"`{column}`: expected {wanted}")
            return
        if not tree.put(path, value):
            self._found.add(line, key, column, f"`{column}` is also set by another column; leave one of them empty")


@cache
def steps(column: str) -> tuple[Step, ...]:
    """The path of a column in the parameters; empty if the name is not a path.

    Example:
        >>> steps("assets.image_file_paths[0]")
        ('assets', 'image_file_paths', 0)
    """
    found: list[Step] = []
    for part in column.split("."):
        match = _PART.fullmatch(part)
        if match is None:
            return ()
        found += [match[1], *(int(index) for index in re.findall(r"\d+", match[2]))]
    return tuple(found)


@cache
def kind_at(endpoint: str, path: tuple[Step, ...]) -> Kind | None:
    """The type that the contract of an endpoint has at this path; None if there is no such field."""
    kind: Kind | None = endpoint_of(endpoint).body if path else None
    for step in path:
        kind = _inside(kind, step)
    return kind


def _inside(kind: Kind | None, step: Step) -> Kind | None:
    if isinstance(kind, Union):
        return next((found for each in kind.kinds if (found := _inside(each, step))), None)
    if isinstance(step, int):
        return kind.item if isinstance(kind, List) else None
    fields = kind.model()._fields if isinstance(kind, Object) else ()
    return next((field.kind for field in fields if step in (field.name, field.attribute)), None)


def converted(kind: Kind | None, text: str) -> Any:
    """The value of a cell; text if the contract has no such field, which is reported when the row is checked.

    Raises:
        ValueError: the text is not a value of this type.

    Example:
        >>> converted(NUMBER, "2.5"), converted(BOOLEAN, "TRUE"), converted(List(NUMBER), "[1, 2]")
        (2.5, True, [1, 2])
    """
    if isinstance(kind, Union):
        for each in kind.kinds:
            with suppress(ValueError):
                return converted(each, text)
        raise ValueError(f"{shown(text)} is not an allowed value")
    plain = kind._replace(bounds=None) if isinstance(kind, Scalar) else kind  # bounds are checked with the row
    if plain in (INTEGER, NUMBER):
        return _number(text.strip())
    if plain == BOOLEAN:
        return parsed(text.strip().lower())
    if isinstance(kind, List):
        return parsed(text) if text.lstrip().startswith("[") else [converted(kind.item, text)]
    if kind is None or isinstance(kind, (Scalar, Parsed)):
        return text
    return parsed(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("it is not a number")
    return int(text) if text.lstrip("+-").isdigit() else float(text)


class _Tree(dict[Step, Any]):
    """Parameters while cells become objects and lists; a list is a tree with numbers as names."""

    def put(self, path: Sequence[Step], value: Any) -> bool:
        """Set a value; returns False if another column has set it."""
        node: Any = self
        for step in path[:-1]:
            node = node.setdefault(step, _Tree())
            if not isinstance(node, _Tree):
                return False
        return bool(node.setdefault(path[-1], value) is value)


def _plain(node: Any) -> Any:
    """The objects and lists of a tree; empty cells leave no gaps in a list."""
    if not isinstance(node, _Tree):
        return node
    if node and all(isinstance(step, int) for step in node):
        return [_plain(node[step]) for step in sorted(node)]
    return {step: _plain(value) for step, value in node.items()}


@cache
def _known() -> list[str]:
    """Every column that some endpoint has."""
    found = ["key", "endpoint", "extra_body"]
    for endpoint in dict.fromkeys(endpoint_names().values()):
        found += _below(endpoint_of(endpoint).body, "", _DEEPEST)
    return found


def _below(kind: Kind | None, path: str, depth: int) -> Iterator[str]:
    if isinstance(kind, Object) and depth:
        for field in kind.model()._fields:
            yield from _below(field.kind, f"{path}.{field.attribute}" if path else field.attribute, depth - 1)
    else:
        yield path
