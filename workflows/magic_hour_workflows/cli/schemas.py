"""Schemas of the contract, simplified for the command line: one type, all properties in one place.

Rule: any JSON Schema is accepted; what cannot be simplified is written as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._operations import Schema, resolved

DEEPEST = 8
"""How deep nested schemas are followed; some are recursive."""
_TYPES: Mapping[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}
_NAMES: Mapping[type, str] = {kind: name for name, kind in _TYPES.items()}


def simplified(schema: Schema, depth: int = 0) -> dict[str, Any]:
    """`schema` simplified: references resolved, `allOf` merged, a choice of one or null replaced by it, one type."""
    whole = resolved(schema)
    for part in whole.pop("allOf", []) if depth < DEEPEST else []:
        inner = simplified(part, depth + 1)
        together = {**inner.get("properties", {}), **whole.get("properties", {})}
        whole = {**inner, **whole, **({"properties": together} if together else {})}
        whole["required"] = [*inner.get("required", []), *whole.get("required", [])]
    choices = whole.pop("anyOf", None) or whole.pop("oneOf", None) or []
    choices = [simplified(choice, depth + 1) for choice in choices] if depth < DEEPEST else []
    choices = [choice for choice in choices if choice.get("type") != "null"]
    if len(choices) == 1:
        whole = {**choices[0], **whole}
    elif choices:
        whole["anyOf"] = choices
    return _one_type(whole)


def _one_type(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` with a single type if it has one, also if only its values show it."""
    if "const" in schema:
        schema.setdefault("enum", [schema["const"]])
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    if not kinds:
        kinds = sorted({_NAMES[type(value)] for value in schema.get("enum", []) if type(value) in _NAMES})
    if len(kinds) == 1:
        schema["type"] = kinds[0]
    return schema


def plain_type(nodes: Sequence[Schema]) -> type | None:
    """The Python type of a plain value; None if it must be written as JSON."""
    kinds = {kind for node in nodes for kind in ([node["type"]] if isinstance(node.get("type"), str) else [])}
    if kinds == {"integer", "number"}:
        return float
    return _TYPES.get(kinds.pop()) if len(kinds) == 1 else None
