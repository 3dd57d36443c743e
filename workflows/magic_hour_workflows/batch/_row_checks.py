"""Checking a row: its key, its endpoint, its files, and the rest against the contract.

Rule: whatever `generate` would refuse before it uploads is refused here with the same message, for every field of every
row. A file is read once, however many rows name it.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from magic_hour_client._runtime.endpoints import check_fields
from magic_hour_client._runtime.schema import Model, unknown_field, vars_of, wrong_type
from magic_hour_client.endpoints import STORED
from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import Endpoint

from .._assets import is_remote, replaced, to_source
from .._credits import estimate
from .._flows.generate import OPTIONS
from .._formatting import shown
from .._operations import operations
from .._outputs import safe_stem
from .._sources import Roles
from ._entries import RESERVED, Collector, Entry, endpoint_of, reserved_option, resource
from ._rows import Row

LONGEST_KEY = 200

_UNFIT = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories that break logs, tables and pages: controls, surrogates, line breaks."""

_SCHEME = re.compile(r"(?i)[a-z][a-z0-9+.-]+://|data:")


_IN_MEMORY = ("a batch outlives this process, but data in memory does not", "write it to a file and pass its path")


class Checker:
    """Checks the rows of one manifest."""

    def __init__(self, folder: Path, found: Collector) -> None:
        self._folder = _absolute(folder)
        self._found = found
        self._lines: dict[str, int] = {}
        self._stems: dict[str, str] = {}
        self._files: dict[tuple[str, Roles], tuple[str, tuple[str, str | None] | None]] = {}

    def row(self, entry: Entry) -> Row | None:
        """The row, with absolute paths; None if it has mistakes."""
        before = len(self._found.mistakes)
        if entry.key is not None:
            self._check_key(entry)
        if entry.endpoint is None:
            return None
        try:
            name = resource(entry.endpoint)
        except InvalidArgument as error:
            self._add(entry, error)
            return None
        parameters = self._parameters(entry, endpoint_of(name))
        if len(self._found.mistakes) > before or entry.key is None:
            return None
        return Row(key=str(entry.key), endpoint=name, parameters=parameters, line=entry.line)

    def _add(self, entry: Entry, error: InvalidArgument) -> None:
        self._found.add(entry.line, entry.key, error.field, str(error))

    # --- key -----------------------------------------------------------------------------------------------------

    def _check_key(self, entry: Entry) -> None:
        try:
            key = checked_key(entry.key)
        except InvalidArgument as error:
            self._found.add(entry.line, None, error.field, str(error))
            return
        stem = safe_stem(key).casefold()
        if key in self._lines:
            same = f"line {self._lines[key]} has the same"
            self._add(entry, InvalidArgument(same, "keys must be unique", field="key"))
        elif stem in self._stems:
            other = self._stems[stem]
            same = f"{shown(key)} would name its outputs {stem}-1, like {shown(other)} in line {self._lines[other]}"
            self._add(entry, InvalidArgument(same, "use keys that differ in letters, digits, - or _", field="key"))
        self._lines.setdefault(key, entry.line)
        self._stems.setdefault(stem, key)

    # --- parameters ----------------------------------------------------------------------------------------------

    def _parameters(self, entry: Entry, endpoint: Endpoint[..., Any]) -> dict[str, Any]:
        """The parameters as JSON; mistakes are collected."""
        before = len(self._found.mistakes)
        given = {name: value for name, value in entry.parameters.items() if self._belongs(entry, endpoint, name)}
        for name in endpoint.required:
            if given.get(name) is None:
                self._add(entry, InvalidArgument("required, but missing", field=name))
        for field in endpoint.assets:
            try:
                given = replaced(given, field.path, partial(self._file, roles=field.roles, entry=entry))
            except InvalidArgument as error:
                self._add(entry, error)
        if len(self._found.mistakes) > before:
            self._refused(entry, endpoint, given, before)
            return given
        try:
            return _written(endpoint, given)
        except InvalidArgument as error:
            self._add(entry, error)
            self._refused(entry, endpoint, given, before)
            return given

    def _belongs(self, entry: Entry, endpoint: Endpoint[..., Any], name: Any) -> bool:
        """Whether the endpoint has this field; if not, that is reported."""
        if name in endpoint.fields or name == "extra_body":
            return True
        if name in RESERVED:
            self._add(entry, reserved_option(name))
        else:
            self._add(entry, unknown_field("", name, dict.fromkeys((*endpoint.fields, *OPTIONS))))
        return False

    def _refused(self, entry: Entry, endpoint: Endpoint[..., Any], given: dict[str, Any], since: int) -> None:
        """Report everything else that the contract refuses.

        The contract reports one mistake at a time. So each refused field is replaced with the contract's example, or
        left out, and the rest is checked again. Rules about several fields wait until each of them is valid.
        """
        example = operations()[endpoint.name].get("example", {})
        reported = {mistake.field for mistake in self._found.mistakes[since:] if mistake.field}
        for field in (*reported, *endpoint.required):
            if field in reported or given.get(field) is None:
                given = _corrected(given, _path(field), example)
        while True:
            try:
                fields = {name: value for name, value in given.items() if name != "extra_body"}
                check_fields(endpoint, fields, given.get("extra_body"))
            except InvalidArgument as error:
                if error.field is None or error.field in reported:
                    return
                self._add(entry, error)
                reported.add(error.field)
                given = _corrected(given, _path(error.field), example)
            else:
                return

    # --- files ---------------------------------------------------------------------------------------------------

    def _file(self, value: Any, where: str, *, roles: Roles, entry: Entry) -> Any:
        """The absolute path of a file; what is wrong with it is reported."""
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        if isinstance(value, (bytes, bytearray, memoryview, tuple)) or hasattr(value, "read"):
            self._add(entry, InvalidArgument(*_IN_MEMORY, field=where))
        elif not isinstance(value, str):
            self._add(entry, wrong_type(where, "the path of a file or a URL", value))
        else:
            if (value, roles) not in self._files:
                self._files[value, roles] = self._inspect(value, roles)
            path, complaint = self._files[value, roles]
            if complaint is None:
                return path
            self._add(entry, InvalidArgument(*complaint, field=where))
        return value

    def _inspect(self, value: str, roles: Roles) -> tuple[str, tuple[str, str | None] | None]:
        """The absolute path of a file, or what the service is to look up; and what is wrong with it."""
        as_it_is = value == "" or value.startswith("~") or _SCHEME.match(value)
        path = value if as_it_is else os.path.join(self._folder, value)
        if (is_remote(value) or value.startswith(STORED)) and not os.path.exists(path):
            return value, None
        try:
            source = to_source(path, roles, "")
        except InvalidArgument as error:
            return value, (error.problem, error.remedy)
        if source.path is None or source.is_pipe:
            return value, _IN_MEMORY
        return _absolute(source.path), None


def _absolute(path: str | os.PathLike[str]) -> str:
    """The absolute path. `..` stays: after a symbolic link, removing it would name another directory."""
    return os.path.join(os.getcwd(), path)


def checked_key(key: object) -> str:
    """A valid key.

    Raises:
        InvalidArgument: it is not a string, empty, too long, or has unprintable characters.

    Example:
        >>> checked_key("Zoë, winter 2026")
        'Zoë, winter 2026'
    """
    if not isinstance(key, str):
        raise wrong_type("key", "a string", key)
    if not key.strip():
        raise InvalidArgument("it is empty", "give every row a unique one", field="key")
    if len(key) > LONGEST_KEY:
        raise InvalidArgument(f"{len(key)} characters exceed the maximum of {LONGEST_KEY}", field="key")
    for character in key:
        if unicodedata.category(character) in _UNFIT:
            raise InvalidArgument(
                f"{shown(key)} contains the unprintable character U+{ord(character):04X}", "remove it", field="key"
            )
    return key


def _written(endpoint: Endpoint[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the contract writes them.

    Raises:
        InvalidArgument: the contract refuses them, or their price depends on something that is missing.
    """
    fields = {**dict.fromkeys(endpoint.fields), **given}
    request = endpoint.request(**fields)
    estimate(endpoint, request.body)
    extra = given.get("extra_body")
    body = request.body if extra is None else endpoint.request(**{**fields, "extra_body": None}).body
    written = {name: body.get(name, value) for name, value in given.items() if value is not None}
    return written if extra is None else {**written, "extra_body": json.loads(json.dumps(extra))}


def _path(field: str) -> list[str]:
    """The names that lead to a field, or to the list that it is in: of a list, all of it is replaced."""
    return field.partition("[")[0].split(".")


def _corrected(node: Any, path: Sequence[str], good: Any) -> Any:
    """A copy of `node` with the value at `path` taken from `good`, or left out if `good` has none."""
    name, *rest = path
    inner = good.get(name) if isinstance(good, Mapping) else None
    if isinstance(node, Model):
        node = {**node.additional_properties, **vars_of(node)}
    node = node if isinstance(node, Mapping) else {}
    if rest and inner is None and name not in node:
        return node  # a name with a dot, or a key that is not a string: nothing to correct
    if rest:
        inner = _corrected(node.get(name), rest, inner)
    others = {key: value for key, value in node.items() if key != name}
    return others if inner is None else {**others, name: inner}
