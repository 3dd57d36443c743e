"""Conditions of an object's schema: which values of its fields go together.

Rule: told apart from parts that say which fields there are. openapi-python-client knows no conditions: it would take an
object for a choice of empty ones, and lose its fields.
"""

from __future__ import annotations

from typing import Any


def conditions_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What an object's schema says about its fields together: `if` and `then`, `not`, choices of required fields."""
    if "properties" not in schema and "allOf" not in schema:
        return []
    own = _conditional(schema)
    branches = {key: own.pop(key) for key in ("if", "then", "else") if key in own}
    parts = schema.get("allOf")
    return [
        *([branches] if branches else []),
        *({key: value} for key, value in own.items()),
        *(part for part in (parts if isinstance(parts, list) else []) if is_condition(part)),
    ]


def without_conditions(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with all its conditions under `x-conditions`."""
    conditions = conditions_of(schema)
    if not conditions:
        return schema
    moved = {"allOf", *_conditional(schema)}
    parts = [part for part in schema.get("allOf") or [] if not is_condition(part)]
    return {
        **{key: value for key, value in schema.items() if key not in moved},
        # A part alone would be taken for a reference to it, which has no conditions of its own.
        **({"allOf": [*parts, {}]} if parts else {}),
        "x-conditions": [*own_conditions(schema), *conditions],
    }


def is_condition(part: Any) -> bool:
    """Whether a part of an `allOf` only says which values go together."""
    if not isinstance(part, dict) or {"$ref", "properties", "allOf", "type"} & part.keys():
        return False
    return bool(_conditional(part))


def own_conditions(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The conditions that were moved before."""
    kept = schema.get("x-conditions")
    return kept if isinstance(kept, list) else []


def _conditional(schema: dict[str, Any]) -> dict[str, Any]:
    """The keywords of an object's schema that are conditions, and not a choice of whole objects."""
    whole = ("if", "then", "else", "not") if "if" in schema else ("not",)
    bare = (key for key in ("anyOf", "oneOf") if _are_bare(schema.get(key)))
    return {key: schema[key] for key in (*whole, *bare) if key in schema}


def _are_bare(choices: Any) -> bool:
    """Whether each of several choices only says which fields must occur."""
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(choice, dict) and set(choice) == {"required"} for choice in choices)
    )
