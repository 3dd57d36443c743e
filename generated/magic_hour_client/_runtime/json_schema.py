"""The parts of JSON Schema that conditions are made of: whether a value meets them, and what it must be instead.

Rule: as JSON Schema says it. A keyword says nothing about values of another type than its own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeGuard

_Compare: TypeAlias = Callable[[Any, Any], bool]
COMPARED: Final[Mapping[str, tuple[_Compare, str]]] = {
    "minimum": (operator.ge, "at least"),
    "maximum": (operator.le, "at most"),
    "exclusiveMinimum": (operator.gt, "more than"),
    "exclusiveMaximum": (operator.lt, "less than"),
}
_SIZES: Final[Mapping[str, tuple[_Compare, type[str] | type[list[Any]], str]]] = {
    "minLength": (operator.ge, str, "at least {} characters"),
    "maxLength": (operator.le, str, "at most {} characters"),
    "minItems": (operator.ge, list, "at least {} items"),
    "maxItems": (operator.le, list, "at most {} items"),
}


def meets(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a value meets the parts of JSON Schema that conditions are made of."""
    if "if" in schema:
        branch = schema.get("then" if meets(schema["if"], value) else "else", {})
        if not meets(branch, value):
            return False
    if isinstance(value, Mapping):
        if any(name not in value for name in schema.get("required", ())):
            return False
        properties = schema.get("properties", {})
        if not all(meets(inner, value[name]) for name, inner in properties.items() if name in value):
            return False
    return (
        wrong_value(schema, value) is None
        and all(meets(part, value) for part in schema.get("allOf", ()))
        and ("anyOf" not in schema or any(meets(part, value) for part in schema["anyOf"]))
        and ("oneOf" not in schema or sum(meets(part, value) for part in schema["oneOf"]) == 1)
        and ("not" not in schema or not meets(schema["not"], value))
    )


def wrong_value(schema: Mapping[str, Any], value: Any) -> str | None:
    """Why a single value does not meet a schema."""
    if (values := values_of(schema)) is not None and not any(_equal(value, each) for each in _allowed(schema)):
        return f"must be {values}"
    if is_number(value):
        for keyword, (holds, words) in COMPARED.items():
            if keyword in schema and not holds(value, schema[keyword]):
                return f"must be {words} {schema[keyword]:,}, got {value:,}"
    for keyword, (holds, kind, words) in _SIZES.items():
        if keyword in schema and isinstance(value, kind) and not holds(len(value), schema[keyword]):
            return f"must have {words.format(schema[keyword])}, got {len(value):,}"
    return None


def _allowed(schema: Mapping[str, Any]) -> Sequence[Any]:
    return [schema["const"]] if "const" in schema else schema["enum"]


def values_of(schema: Mapping[str, Any]) -> str | None:
    """The values that a schema allows, in words; None if it lists none."""
    if "const" not in schema and "enum" not in schema:
        return None
    return " or ".join(str(value) for value in _allowed(schema))


def _equal(one: Any, other: Any) -> bool:
    """Equality in JSON, where true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
