"""A table of published fields as an OpenAPI document, for `scripts/contract_diff.py`.

The table has a heading `## METHOD /path` for each operation, under it `# body` and `# answer 200`, and lines of path,
type, required, values, limits and example with tabs between them: `assets.image_file_path  string  yes  …`.
"""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


def document_of(table: str) -> Json:
    """The document that the table describes."""
    paths: dict[str, Json] = {}
    operation: Json = {}
    into: Json = {}
    for line in table.splitlines():
        if line.startswith("## "):
            method, path = line[3:].split(" ")
            operation = {"operationId": f"{method}_{path}", "responses": {"200": {"description": "Done."}}}
            paths.setdefault(path, {})[method.lower()] = operation
        elif line == "# body":
            operation["requestBody"] = {"content": _media(into := _object())}
        elif line.startswith("# answer "):
            operation["responses"]["200"]["content"] = _media(into := _object())
        elif line.startswith("path "):
            name = line.split("\t")[0].removeprefix("path ")
            parameter = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            operation.setdefault("parameters", []).append(parameter)
        elif line and not line.startswith("#"):
            _add(into, *(line.split("\t") + [""] * 6)[:5])
    return {"openapi": "3.1.0", "info": {"title": "Table", "version": "1"}, "paths": paths}


def _media(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _object() -> Json:
    return {"type": "object", "properties": {}}


def _add(root: Json, path: str, kind: str, required: str, values: str, limits: str) -> None:
    parts = path.replace("[]", ".[]").split(".")
    node = root
    for part in parts[:-1]:
        node = node["items"] if part == "[]" else node["properties"][part]
    schema = _schema(kind, values, limits)
    if parts[-1] == "[]":
        node["items"] = schema
        return
    node["properties"][parts[-1]] = schema
    if required:
        node.setdefault("required", []).append(parts[-1])


def _schema(kind: str, values: str, limits: str) -> Json:
    schema: Json = {"type": kind, **({"properties": {}} if kind == "object" else {})}
    if values and not values.startswith("open list"):
        found = values.split(" | ")
        schema["enum"] = [json.loads(value) for value in found] if kind in ("number", "integer") else found
    for limit in filter(None, limits.split(", ")):
        name, _, value = limit.partition(" ")
        if name == "nullable":
            schema["type"] = [kind, "null"]
        else:
            schema[name] = value if name in ("format", "pattern") else json.loads(value)
    return schema
