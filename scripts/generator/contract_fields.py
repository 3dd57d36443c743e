"""A document as flat rows: every field of every operation, with what its schema says about it.

Rule: two documents that allow the same values have the same rows, however they say it (OpenAPI 3.0 or 3.1, `allOf`,
references). Names are paths: `style.prompt`, `items[].type`, `answer: downloads[].url`, `query limit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from .contract import Contract

_BOUNDS: tuple[str, ...] = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength")
_BOUNDS += ("maxLength", "minItems", "maxItems", "pattern", "format", "default")
_DEEPEST = 12
_MOST_FIELDS = 20_000


@attrs.frozen(kw_only=True)
class FieldRow:
    """What a document says about one field."""

    type: str
    required: bool
    nullable: bool = False
    values: tuple[Any, ...] = ()
    open: bool = False
    """Whether other values than those of the list are allowed."""
    limits: dict[str, Any] = attrs.field(factory=dict)

    def __str__(self) -> str:
        return f"{self.type}, {'required' if self.required else 'optional'}"


Fields = dict[str, FieldRow]


def fields_by_operation(contract: Contract) -> dict[str, Fields]:
    """All fields of all operations, by `METHOD /path` and by path of the field, both in the document's order."""
    found: dict[str, Fields] = {}
    for path, method, _ in contract.operations():
        operation = contract.operation(path, method)
        rows: Fields = {}
        for parameter in operation["parameters"]:
            schema = contract.schema(parameter.get("schema"))
            name = f"{parameter.get('in')} {parameter.get('name')}"
            rows[name] = _row(contract, schema, required=parameter.get("required") is True)
        body = contract.json_media(operation.get("requestBody")).get("schema")
        rows.update(_fields(contract, body, "", ()))
        for status, response in (operation.get("responses") or {}).items():
            if str(status).startswith("2"):
                answer = contract.json_media(response).get("schema")
                rows.update(_fields(contract, answer, "answer: ", ()))
                break
        found[f"{method.upper()} {path}"] = rows
    return found


def _fields(contract: Contract, node: Any, prefix: str, above: tuple[Any, ...]) -> Iterator[tuple[str, FieldRow]]:
    """The fields of an object, and of objects in it and in its lists; each object only once on the way down."""
    for schema in _choices(contract, node):
        properties = schema.get("properties") or {}
        if len(above) > _DEEPEST or any(properties is known for known in above):
            continue
        for name, inner in properties.items():
            required = name in (schema.get("required") or [])
            yield from _field(contract, inner, f"{prefix}{name}", required, (*above, properties))


def _field(
    contract: Contract, node: Any, path: str, required: bool, above: tuple[Any, ...]
) -> Iterator[tuple[str, FieldRow]]:
    row = _row(contract, contract.schema(node), required=required)
    yield path, row
    yield from _fields(contract, node, f"{path}.", above)
    for schema in _choices(contract, node):
        if isinstance(schema.get("items"), dict) and len(above) <= _DEEPEST:
            yield from _field(contract, schema["items"], f"{path}[]", True, above)


def _choices(contract: Contract, node: Any) -> list[dict[str, Any]]:
    """The schemas that a value may follow: the one itself, or the parts of its `anyOf` or `oneOf`; without null."""
    schema = contract.schema(node)
    parts = [part for keyword in ("anyOf", "oneOf") for part in schema.get(keyword) or []]
    parts = [part for part in parts if isinstance(part, dict) and set(part) != {"required"}]
    beside = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
    schemas = [{**beside, **contract.schema(part)} for part in parts] or [beside]
    return [schema for schema in schemas if schema.get("type") != "null"]


def _row(contract: Contract, schema: dict[str, Any], *, required: bool) -> FieldRow:
    choices = _choices(contract, schema)
    types = dict.fromkeys(kind for choice in choices for kind in _types(choice))
    lists = [choice["enum"] for choice in choices if isinstance(choice.get("enum"), list)]
    lists += [[choice["const"]] for choice in choices if "const" in choice]
    values = dict.fromkeys(value for found in lists for value in found if isinstance(value, str | int | float))
    limits: dict[str, Any] = {}
    for choice in choices:
        limits |= {key: choice[key] for key in _BOUNDS if key in choice}
    return FieldRow(
        type=" or ".join(types) or "any",
        required=required,
        nullable=_nullable(schema),
        values=tuple(values),
        open=bool(values) and len(lists) < len(choices),
        limits=_modern(limits),
    )


def _types(schema: dict[str, Any]) -> list[str]:
    kinds = schema.get("type") or ("object" if "properties" in schema else "array" if "items" in schema else [])
    return [str(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]


def _nullable(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    parts = [part for keyword in ("anyOf", "oneOf") for part in schema.get(keyword) or [] if isinstance(part, dict)]
    told = schema.get("nullable") is True or (isinstance(kinds, list) and "null" in kinds)
    return told or any(part.get("type") == "null" for part in parts)


def _modern(limits: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0's exclusive bounds as 3.1 says them; equal numbers as the same number."""
    found = dict(limits)
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(found.get(exclusive), bool) and found.pop(exclusive) and bound in found:
            found[exclusive] = found.pop(bound)
    whole = {key: int(value) for key, value in found.items() if isinstance(value, float) and value.is_integer()}
    return {**found, **whole}
