"""The contract's operations as data at run time: the command line makes its flags of them, and they have the prices.

Rule: read only. The generator writes the data, so a new field of the contract needs no edit here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

Schema = Mapping[str, Any]


@cache
def document() -> Mapping[str, Any]:
    """The whole of `operations.json`."""
    text = files("magic_hour_client").joinpath("operations.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def operations() -> Mapping[str, Mapping[str, Any]]:
    """Every operation by its name, such as `v1.ai_image_generator.create`."""
    found: Mapping[str, Mapping[str, Any]] = document()["operations"]
    return found


def paid() -> dict[str, Mapping[str, Any]]:
    """The operations that charge credits."""
    return {name: operation for name, operation in operations().items() if operation.get("charges_credits")}


def resolved(schema: Schema) -> dict[str, Any]:
    """`schema` with its reference resolved; keywords next to the reference take precedence."""
    found = dict(schema)
    while (reference := found.pop("$ref", None)) is not None:
        found = {**document()["$defs"][reference.rpartition("/")[2]], **found}
    return found


def complete(name: str) -> dict[str, Any]:
    """One operation as a JSON document of its own, with the schemas that it refers to."""
    operation = {"name": name, **operations()[name]}
    wanted = dict.fromkeys(_references(operation))
    for reference in (waiting := list(wanted)):
        for found in _references(document()["$defs"][reference]):
            if found not in wanted:
                wanted[found] = None
                waiting.append(found)
    return {**operation, "$defs": {name: document()["$defs"][name] for name in sorted(wanted)}}


def _references(node: Any) -> Iterator[str]:
    """The names of the schemas that `node` refers to."""
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
