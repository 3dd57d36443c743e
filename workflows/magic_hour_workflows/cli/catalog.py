"""The fields of an operation as flags: name, type, choices and help, from the contract.

Rule: a new field of the contract is a new flag; nothing here knows a field by its name.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import attrs

from magic_hour_client.errors import InvalidArgument

from ..operations import Schema, operations, resolved

_TYPES: Mapping[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}
_SHORT = 50
_HELP_WIDTH = 51
"""Columns that are left for help beside the names of options on a terminal of 80."""
_METAVARS: Mapping[type, str] = {str: "TEXT", int: "NUMBER", float: "NUMBER"}


@attrs.frozen(kw_only=True)
class Flag:
    """One field of a request as a flag.

    Attributes:
        path: where the value belongs in the request.
        flag: such as `--prompt`.
        type: the Python type of a value; str for what is written as JSON.
        description: the contract's own words.
        required: the service needs it.
        choices: the values that the contract knows; others are sent as well, the service may know more.
        many: may be given several times.
        is_json: written as JSON, because a plain value cannot say it.
        role: `image`, `audio` or `video` if the value is an input file.
        deprecation: what to do instead, for a field the service has retired.
    """

    path: tuple[str, ...]
    flag: str = ""
    type: type
    description: str
    required: bool
    choices: tuple[Any, ...] = ()
    many: bool = False
    is_json: bool = False
    role: str | None = None
    deprecation: str | None = None

    @property
    def parameter(self) -> str:
        """A name for the value in Python, unlike that of any other flag."""
        return "field_" + "__".join(self.path)

    @property
    def field(self) -> str:
        """The field as errors name it."""
        return ".".join(self.path)

    @property
    def metavar(self) -> str:
        if self.is_json:
            return "JSON"
        return "FILE" if self.role else _METAVARS.get(self.type, "VALUE")

    @property
    def help(self) -> str:
        """The description, and what can be chosen."""
        parts = [self.description]
        if self.role:
            parts.append("Or a file here, which is uploaded; - takes what the command before made.")
        if self.many:
            parts.append("Can be given several times.")
        if self.deprecation:
            parts.insert(0, f"Deprecated: {self.deprecation}.")
        known = ", ".join(map(str, self.choices))
        if self.choices and len(known) <= _SHORT:
            parts.append(f"Known: {known}.")
        text = " ".join(part for part in parts if part)
        return f"{text}\n\n\b\n{_list(known)}" if len(known) > _SHORT else text


def flags(operation: str, taken: Collection[str] = ()) -> list[Flag]:
    """The flags of an operation: required ones first, retired ones last.

    Args:
        operation: its whole name.
        taken: flags that mean something else.
    """
    body = operations()[operation].get("body", {})
    named = _named(list(_fields(body, (), True)), taken)
    return sorted(named, key=lambda flag: (flag.deprecation is not None, not flag.required))


def parameters(operation: str, found: Sequence[Flag], values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `generate` from the values of flags.

    Objects the service needs are there even if nothing was given for them, so that errors name the field inside.

    Raises:
        InvalidArgument: what should be JSON is none.
    """
    body = resolved(operations()[operation].get("body", {}))
    result: dict[str, Any] = {
        name: {}
        for name in body.get("required", [])
        if resolved(body.get("properties", {}).get(name, {})).get("properties")
    }
    for flag in found:
        value = values.get(flag.parameter)
        if value is None or value == []:
            continue
        node = result
        for part in flag.path[:-1]:
            node = node.setdefault(part, {})
        node[flag.path[-1]] = parsed_json(flag.field, value) if flag.is_json else value
    return result


def parsed_json(field: str, text: str) -> Any:
    """The value that JSON stands for.

    Raises:
        InvalidArgument: it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"`{field}`: expected JSON: {error}", field=field) from None


def _fields(schema: Schema, path: tuple[str, ...], required: bool) -> Iterator[Flag]:
    whole = resolved(schema)
    for name, inner in whole.get("properties", {}).items():
        here, found = (*path, name), resolved(inner)
        needed = required and name in whole.get("required", [])
        if found.get("properties") and len(here) < 8:  # deeper ones may never end
            yield from _fields(inner, here, needed)
        else:
            yield _flag(found, here, needed)


def _flag(schema: Schema, path: tuple[str, ...], required: bool) -> Flag:
    many = schema.get("type") == "array"
    value = resolved(schema.get("items", {})) if many else schema
    nodes = [value, *(resolved(choice) for choice in value.get("anyOf", []))]
    retired = {choice for node in nodes for choice in node.get("x-deprecated-values", {})}
    known = dict.fromkeys(choice for node in nodes for choice in node.get("enum", []) if choice is not None)
    kind = _type(nodes)
    return Flag(
        path=path,
        type=kind or str,
        description=" ".join(str(schema.get("description", "")).split()),
        required=required,
        choices=tuple(choice for choice in known if choice not in retired),
        many=many and kind is not None,
        is_json=kind is None,
        role=value.get("x-asset"),
        deprecation=schema.get("x-deprecation", "leave it out") if schema.get("deprecated") else None,
    )


def _type(nodes: Sequence[Schema]) -> type | None:
    """The Python type of a plain value, or None for what only JSON can say."""
    kinds: set[str] = set()
    for node in nodes:
        given = node.get("type", [])
        kinds.update([given] if isinstance(given, str) else given)
    kinds.discard("null")
    if kinds == {"integer", "number"}:
        return float
    return _TYPES.get(kinds.pop()) if len(kinds) == 1 else None


def _named(found: Sequence[Flag], taken: Collection[str]) -> list[Flag]:
    """Short names where they are free: the role of a file, or the last part of the path; else the whole path.

    What stands further out and is not retired has the first choice.
    """
    used = set(taken)
    named = []
    for flag in sorted(found, key=lambda flag: (flag.deprecation is not None, len(flag.path))):
        short = flag.role or flag.path[-1]
        names = (_dashed(short), _dashed("_".join(flag.path)), _dashed("_".join(("field", *flag.path))))
        name = next(name for name in names if name not in used)
        used.add(name)
        named.append(attrs.evolve(flag, flag=name))
    order = {flag.path: number for number, flag in enumerate(found)}
    return sorted(named, key=lambda flag: order[flag.path])


def _list(known: str) -> str:
    """A long list in lines that no formatter fills up, since it would break names at their hyphens."""
    return textwrap.fill(f"Known: {known}.", _HELP_WIDTH, break_on_hyphens=False, break_long_words=False)


def _dashed(name: str) -> str:
    return "--" + name.replace("_", "-").lower()
