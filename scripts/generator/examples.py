"""Example calls for docstrings and reference pages, made from the document's own examples.

Rule: an example is a call that runs: the values come from the document, the names from the generated code.
"""

from __future__ import annotations

import re
from typing import Any

import attrs

from .contract import Contract
from .endpoint_views import EndpointView
from .models import ITEMS
from .texts import Code
from .views import FieldView

_PLAIN = {"integer": 1, "number": 1.0, "boolean": True}
_FORMATS = {"date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z", "uuid": "00000000-0000-4000-8000-000000000000"}
_ODD = re.compile(r"[^ !#-\[\]-~]")
_DEEPEST = 4
_MOST_FIELDS = 500
_SAMPLES = {"image": "portrait.jpg", "audio": "voice.mp3", "video": "clip.mp4", "gif": "loop.gif"}
"""Files that examples upload."""
Places = dict[tuple[str, str], EndpointView]


def with_examples(places: Places, contract: Contract) -> Places:
    """The same endpoints, each with the lines of an example call."""
    return {
        place: attrs.evolve(
            view,
            example_lines=[Code(_escaped(line)) for line in call_lines(view, arguments(view, contract), "client")],
            generate_lines=_generate_lines(view, contract) if view.generates else [],
        )
        for place, view in places.items()
    }


def _generate_lines(view: EndpointView, contract: Contract) -> list[Code]:
    """An example call of `generate` for an interactive session."""
    lines = generate_call(view, local_arguments(view, contract), "result = client")
    return [Code(f"{'...' if number else '>>>'} {_escaped(line)}") for number, line in enumerate(lines)]


def generate_call(view: EndpointView, values: dict[str, Any], opening: str) -> list[str]:
    """The call of the operation's `generate` as Python."""
    return call_lines(attrs.evolve(view, method_name="generate"), values, opening)


def local_arguments(view: EndpointView, contract: Contract) -> dict[str, Any]:
    """The arguments of the example call, with local files where the document has remote ones."""
    values = arguments(view, contract)
    for asset in view.assets:
        values = _with_file(values, asset.path, _SAMPLES[asset.roles[0]])
    return values


def _with_file(values: Any, path: tuple[str, ...], file: str) -> Any:
    """A copy of `values` with `file` at `path`, if there is something; in a list of files, it is the only one."""
    if not path:
        return file
    if path[0] == ITEMS and isinstance(values, list):
        return [_with_file(item, path[1:], file) for item in values][: None if path[1:] else 1]
    if not isinstance(values, dict) or path[0] not in values:
        return values
    return {**values, path[0]: _with_file(values[path[0]], path[1:], file)}


def arguments(view: EndpointView, contract: Contract) -> dict[str, Any]:
    """The arguments of the example call: what the body's example gives, and whatever else must be given."""
    found: dict[str, Any] = {}
    given = view.example if isinstance(view.example, dict) else {}
    for field in (*view.path_parameters, *view.keywords):
        if field.attribute in view.body_names and field.name in given:
            found[field.attribute] = given[field.name]
        elif field.required:
            found[field.attribute] = made_up(schema_of(view, field, contract), contract)
    return found


def schema_of(view: EndpointView, field: FieldView, contract: Contract) -> dict[str, Any]:
    """The schema of one argument: a field of the body, a parameter, or the whole body with its example."""
    media = contract.json_media(view.source.get("requestBody"))
    if field.attribute in view.body_names:
        return contract.schema((contract.schema(media.get("schema")).get("properties") or {}).get(field.name))
    holder = next((each for each in view.source["parameters"] if each.get("name") == field.name), media)
    example = {"example": holder["example"]} if "example" in holder else {}
    return {**contract.schema(holder.get("schema")), **example}


def made_up(schema: dict[str, Any], contract: Contract, depth: int = 0, room: list[int] | None = None) -> Any:
    """An example value for a schema: its own example, default or first choice, else something plain.

    `room` is how many fields may still be made up; a longer example would help no reader.
    """
    room = [_MOST_FIELDS] if room is None else room
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]
    values = schema.get("examples") or schema.get("enum")
    if isinstance(values, list) and values:
        return values[0]
    kind = type_of(schema)
    choices = [contract.schema(choice) for choice in (schema.get("anyOf") or schema.get("oneOf") or [])]
    if (choice := next((c for c in choices if c.get("type") != "null"), None)) and depth < _DEEPEST:
        return made_up(choice, contract, depth + 1, room)
    if kind == "object":
        required = schema.get("required") or [] if depth < _DEEPEST and room[0] > 0 else []
        parts = {name: part for name, part in (schema.get("properties") or {}).items() if name in required}
        room[0] -= len(parts)
        return {name: made_up(contract.schema(part), contract, depth + 1, room) for name, part in parts.items()}
    if kind == "array":
        return [made_up(contract.schema(schema.get("items")), contract, depth + 1, room)] if depth < _DEEPEST else []
    return _PLAIN.get(kind) or _FORMATS.get(str(schema.get("format")), "string")


def type_of(schema: dict[str, Any]) -> str:
    """The one type of a schema; of several, the first that is not null."""
    kinds = schema.get("type") or ("object" if "properties" in schema else "")
    return next((str(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"), "")


def call_lines(view: EndpointView, values: dict[str, Any], opening: str) -> list[str]:
    """The call as Python, one argument a line; a single one stays on the line."""
    call = f"{opening}.{view.call_name}("
    pairs = [f"{name}={_python(value)}" for name, value in values.items()]
    if len(pairs) <= 1:
        return [call + "".join(pairs) + ")"]
    return [call, *(f"    {pair}," for pair in pairs), ")"]


def _escaped(line: str) -> str:
    """A line of a docstring that can neither end the string nor escape anything."""
    return line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _python(value: Any) -> str:
    """`value` as Python in ASCII with double quotes, in the order of its keys, and with no comment of Markdown."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(str(key))}: {_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_python(item) for item in value) + "]"
    if isinstance(value, str):
        plain = _ODD.sub(lambda odd: '\\"' if odd[0] == '"' else ascii(odd[0])[1:-1], value)
        return '"' + plain.replace("<!--", "\\x3c!--") + '"'
    return ascii(value)
