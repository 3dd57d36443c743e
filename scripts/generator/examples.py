"""Example calls for docstrings and reference pages, made from the document's own examples.

Rule: an example is a call that runs: the values come from the document, the names from the generated code.
"""

from __future__ import annotations

from typing import Any

import attrs

from .contract import Contract
from .endpoints import EndpointView
from .texts import Code, raw

Places = dict[tuple[str, str], EndpointView]


def with_examples(places: Places, contract: Contract) -> Places:
    """The same endpoints, each with the lines of an example call."""
    return {
        place: attrs.evolve(view, example_lines=_docstring_lines(view, arguments(view, contract)))
        for place, view in places.items()
    }


def arguments(view: EndpointView, contract: Contract) -> list[tuple[str, Any]]:
    """Keyword and value of every argument in the example: path parameters, then what the body's example gives."""
    found: list[tuple[str, Any]] = []
    for field in view.path_parameters:
        raws = [p for p in view.source["parameters"] if p.get("name") == field.name]
        example = raws[0].get("example") if raws else None
        found.append((field.attribute, "string" if example is None else example))
    body = view.example if isinstance(view.example, dict) else {}
    for field in view.keywords:
        if field.name in body and view.body_fields is not None:
            found.append((field.attribute, body[field.name]))
        elif field.required:
            found.append((field.attribute, _made_up(view, field.name, contract)))
    return found


def _made_up(view: EndpointView, name: str, contract: Contract) -> Any:
    for parameter in view.source["parameters"]:
        if parameter.get("name") == name and "example" in parameter:
            return parameter["example"]
    schema = contract.resolve(contract.json_media(view.source.get("requestBody")).get("schema"))
    if view.body_fields is not None:
        schema = contract.resolve((schema.get("properties") or {}).get(name))
    return made_up(schema, contract)


def made_up(schema: dict[str, Any], contract: Contract, depth: int = 0) -> Any:
    """An example value for a schema that has none: its own example, default or first choice, else something plain."""
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]
    choices = schema.get("examples") or schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    if schema.get("type") == "object" and depth < 4:
        required = schema.get("required") or []
        properties = schema.get("properties") or {}
        return {
            name: made_up(contract.resolve(properties[name]), contract, depth + 1)
            for name in properties
            if name in required
        }
    if schema.get("type") == "array" and depth < 4:
        return [made_up(contract.resolve(schema.get("items")), contract, depth + 1)]
    return {"integer": 1, "number": 1.0, "boolean": True}.get(str(schema.get("type")), "string")


def call_lines(view: EndpointView, pairs: list[tuple[str, Any]], opening: str) -> list[str]:
    """The call as Python, one argument a line; a single short one stays on the line."""
    call = f"{opening}.{view.call_name}("
    if len(pairs) <= 1:
        return [call + "".join(f"{name}={_python(value)}" for name, value in pairs) + ")"]
    return [call, *(f"    {name}={_python(value)}," for name, value in pairs), ")"]


def _docstring_lines(view: EndpointView, pairs: list[tuple[str, Any]]) -> list[Code]:
    lines = call_lines(view, pairs, "client")
    return [Code(line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')) for line in lines]


def _python(value: Any) -> str:
    """`value` as Python with double quotes, in the order of its keys."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(str(key))}: {_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_python(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + ascii(value + "'")[1:-2].replace('"', '\\"').replace("\\\\'", "\\'") + '"'
    return ascii(value) if value is None or isinstance(value, bool | int | float) else _python(raw(value))
