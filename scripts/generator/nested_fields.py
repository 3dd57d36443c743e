"""The fields inside an argument, for whoever describes it: reference pages and docstrings.

Rule: one order and one depth for all, so that a page and a docstring list the same fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from .contract import Contract
from .endpoint_views import EndpointView
from .examples import schema_of, type_of
from .names import attribute
from .texts import Code, doc
from .views import deprecation, described

_DEEPEST = 6
_MOST = 1000


@attrs.frozen
class NestedField:
    """One field, `depth` objects below the argument."""

    depth: int
    name: str
    required: bool
    schema: dict[str, Any]

    @property
    def deprecation(self) -> str | None:
        return deprecation(self.schema)

    @property
    def description(self) -> str:
        return described(str(self.schema.get("description") or ""), self.deprecation)


def nested_fields(schema: dict[str, Any], contract: Contract) -> list[NestedField]:
    """The fields inside an object, or inside the objects of a list; required ones first, by name."""
    return [field for field, _ in zip(_within(schema, contract, 1, ()), range(_MOST), strict=False)]


def _within(schema: dict[str, Any], contract: Contract, depth: int, above: tuple[str, ...]) -> Iterator[NestedField]:
    schema = _object_in(schema, contract)
    properties = schema.get("properties") or {}
    required = schema.get("required") or []
    for name in sorted(properties, key=lambda name: (name not in required, name)):
        inner = contract.schema(properties[name])
        needed = name in required and "x-implied" not in inner  # else it follows from the field beside it
        yield NestedField(depth, attribute(name), needed, inner)
        shape = json.dumps(_object_in(inner, contract).get("properties"), sort_keys=True)
        # An object inside itself is shown once, and shared parts of objects not on every path.
        if shape not in above and depth < _DEEPEST:
            yield from _within(inner, contract, depth + 1, (*above, shape))


def _object_in(schema: dict[str, Any], contract: Contract) -> dict[str, Any]:
    """The object that a schema describes, lists, or allows as one of several."""
    for _ in range(_DEEPEST):
        if type_of(schema) != "array":
            break
        schema = contract.schema(schema.get("items"))
    choices = [contract.schema(choice) for choice in (schema.get("anyOf") or schema.get("oneOf") or [])]
    return schema if "properties" in schema else next((c for c in choices if "properties" in c), schema)


def with_nested_docs(
    places: Mapping[tuple[str, str], EndpointView], contract: Contract
) -> dict[tuple[str, str], EndpointView]:
    """The same endpoints, each with the lines about nested fields for the docstring of its `generate`."""
    return {
        place: attrs.evolve(view, nested_docs=_nested_docs(view, contract)) if view.generates else view
        for place, view in places.items()
    }


def _nested_docs(view: EndpointView, contract: Contract) -> dict[str, list[Code]]:
    found: dict[str, list[Code]] = {}
    for field in view.generate_keywords:
        inner = nested_fields(schema_of(view, field, contract), contract)
        found[field.attribute] = [
            Code(" " * 4 * each.depth + doc(f"{each.name}: {each.description}", 12 + 4 * each.depth + 4))
            for each in inner
        ]
    return found
