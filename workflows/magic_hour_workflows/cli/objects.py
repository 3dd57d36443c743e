"""Objects in a list as options: `--face-mapping original_face=PATH,new_face=FILE`, once for each object.

Rule: a comma separates two keys only where `NAME=` follows, so files with commas in their names can be typed. A key
that the contract does not know is refused: it would otherwise become part of the value before it. JSON works as well.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from magic_hour_client.errors import InvalidArgument

from .._formatting import shown
from .._hints import meant
from .._operations import Schema
from .schemas import plain_type, simplified

METAVARS: Mapping[type, str] = {str: "TEXT", int: "NUMBER", float: "NUMBER", bool: "true|false"}
_NEXT_KEY = re.compile(r",(?=\s*[A-Za-z_]\w*=)")


@attrs.frozen(kw_only=True)
class Key:
    """One field of the objects in a list.

    Attributes:
        name: such as `new_face`.
        type: the Python type of its value.
        required: whether every object needs it.
        roles: what the value can be used as, such as `image`, if it is an input file.
        description: the contract's description.
    """

    name: str
    type: type
    required: bool
    roles: tuple[str, ...]
    description: str

    @property
    def metavar(self) -> str:
        return "FILE" if self.roles else METAVARS[self.type]


def roles(nodes: Sequence[Schema]) -> tuple[str, ...]:
    """What a value can be used as, if it is an input file."""
    given = next((node["x-asset"] for node in nodes if "x-asset" in node), ())
    return (given,) if isinstance(given, str) else tuple(given)


def keys_of(schema: Schema) -> tuple[Key, ...]:
    """The fields of an object; none if some of them are not plain values, or there are none."""
    found = []
    for name, inner in schema.get("properties", {}).items():
        value = simplified(inner)
        nodes = [value, *value.get("anyOf", [])]
        if (kind := plain_type(nodes)) is None:
            return ()
        description = " ".join(str(value.get("description", "")).split())
        required = name in schema.get("required", [])
        found.append(Key(name=name, type=kind, required=required, roles=roles(nodes), description=description))
    return tuple(found)


def metavar(keys: Sequence[Key]) -> str:
    """How an object is written.

    Example:
        >>> metavar(keys_of({"properties": {"x": {"type": "integer"}, "label": {"type": "string"}}, "required": ["x"]}))
        'x=NUMBER[,label=TEXT]'
    """
    needed = ",".join(f"{key.name}={key.metavar}" for key in keys if key.required)
    rest = "".join(f"[,{key.name}={key.metavar}]" for key in keys if not key.required)
    return needed + rest if needed else rest.replace("[,", "[", 1)


def parsed_objects(field: str, keys: Sequence[Key], texts: Sequence[str]) -> list[Any]:
    """The objects of a list; a text that is a JSON list has all of them.

    Raises:
        InvalidArgument: a text is not an object of this kind; the error names the field in it.
    """
    found: list[Any] = []
    for text in texts:
        value = _parsed(f"{field}[{len(found)}]", keys, text)
        found += value if isinstance(value, list) else [value]
    return found


def parsed_json(field: str, text: str) -> Any:
    """The parsed JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"expected JSON: {error}", field=field) from None


def _parsed(field: str, keys: Sequence[Key], text: str) -> Any:
    if text.lstrip().startswith(("{", "[")):
        return parsed_json(field, text)
    known = {key.name: key for key in keys}
    found: dict[str, Any] = {}
    for part in _NEXT_KEY.split(text):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise InvalidArgument(f"{shown(part)} is not NAME=VALUE", f"write {metavar(keys)}", field=field)
        if name not in known:
            hint = meant(name, known) or f"write {metavar(keys)}"
            raise InvalidArgument(f"{shown(name)} is unknown", hint, field=field)
        if name in found:
            raise InvalidArgument("given twice", "repeat the option for another object", field=f"{field}.{name}")
        found[name] = _value(f"{field}.{name}", known[name], value)
    return found


def _value(field: str, key: Key, text: str) -> Any:
    if key.roles:
        if text == "-":
            raise InvalidArgument("a file of a list is not read from stdin", "pass its path", field=field)
        return os.path.expanduser(text)  # shells expand ~ only at the beginning of a word
    if key.type is str:
        return text
    try:
        value = json.loads(text.strip().lower() if key.type is bool else text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, bool) is not (key.type is bool) or not isinstance(value, (bool, int, float)):
        expected = "true or false" if key.type is bool else "a number"
        raise InvalidArgument(f"expected {expected}, got {shown(text)}", field=field)
    return value
