"""`operations.json`: the operations as data, whatever the document looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from generator.build import Build
from generator.contract import load
from generator.operations_json import operations_json

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "generated" / "magic_hour_client" / "operations.json"


def operations(folder: Path, paths: dict[str, Any], *, version: str = "3.1.0", **components: Any) -> Any:
    """What is written for a document."""
    document = {
        "openapi": version,
        "info": {"title": "Things", "version": "7"},
        "paths": paths,
        "components": components,
    }
    path = folder / "things.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    build = Build(load(path), ROOT / "templates")
    return json.loads(operations_json(build.endpoints.all(), build.contract))


def post(schema: Any, **more: Any) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": schema}}}
    return {"post": {"requestBody": body, "responses": {"204": {"description": "Done."}}, **more}}


def test_ours_has_every_operation_of_the_contract() -> None:
    contract = load(ROOT / "spec" / "magic-hour.openapi.yaml").raw
    wanted = {
        (path, method.upper()) for path, item in contract["paths"].items() for method in item if method != "parameters"
    }
    found = json.loads(OURS.read_text(encoding="utf-8"))["operations"].values()
    assert {(operation["path"], operation["method"]) for operation in found} == wanted


def test_ours_is_json_schema_that_accepts_its_own_examples() -> None:
    document = json.loads(OURS.read_text(encoding="utf-8"))
    operations, definitions = document["operations"].values(), document["$defs"]
    schemas = [operation[part] for operation in operations for part in ("body", "result") if operation.get(part)]
    assert len(schemas) > len(operations)
    validator = jsonschema.Draft202012Validator
    validator.check_schema({"anyOf": schemas, "$defs": definitions})  # once: checking the definitions takes long
    for operation in operations:
        if "example" in operation:
            validator({**operation["body"], "$defs": definitions}).validate(operation["example"])


def test_schemas_that_refer_to_themselves(tmp_path: Path) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    found = operations(tmp_path, {"/things": post({"$ref": "#/components/schemas/Node"})}, schemas={"Node": node})
    assert found["operations"]["things.create"]["body"] == {"$ref": "#/$defs/Node"}
    assert found["$defs"]["Node"]["properties"]["next"] == {"$ref": "#/$defs/Node"}


def test_references_to_anywhere_in_the_document(tmp_path: Path) -> None:
    there = "#/paths/~1things/post/requestBody/content/application~1json/schema/properties/a"
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "not": {"$ref": there}}},
    }
    found = operations(tmp_path, {"/things": post(schema)})
    [(name, definition)] = found["$defs"].items()
    assert found["operations"]["things.create"]["body"]["properties"]["b"]["not"] == {"$ref": f"#/$defs/{name}"}
    assert definition == {"type": "string"}


def test_examples_are_data_and_keep_what_looks_like_a_reference(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "b": {"type": "string", "example": {"$ref": "#/nowhere"}}},
    }
    found = operations(tmp_path, {"/things": post(schema)})
    properties = found["operations"]["things.create"]["body"]["properties"]
    assert properties["$ref"] == {"type": "string"}, "a field of that name"
    assert properties["b"]["example"] == {"$ref": "#/nowhere"}


def test_the_older_dialect_becomes_json_schema(tmp_path: Path) -> None:
    properties = {
        "a": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "b": {"type": "number", "maximum": 9, "exclusiveMaximum": False},
        "c": {"type": "string", "nullable": True, "description": "Text or nothing."},
    }
    found = operations(tmp_path, {"/things": post({"type": "object", "properties": properties})}, version="3.0.3")
    schema = found["operations"]["things.create"]["body"]
    jsonschema.Draft202012Validator.check_schema(schema)
    for good in ({"a": 0.1}, {"b": 9}, {"c": None}, {"c": "x"}):
        jsonschema.validate(good, schema)
    for bad in ({"a": 0}, {"b": 10}, {"c": 7}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


def test_what_is_not_said_is_left_out(tmp_path: Path) -> None:
    found = operations(tmp_path, {"/things": {"get": {"responses": {"204": {"description": "Done."}}}}})
    assert found["operations"]["things.get"] == {
        "summary": "get",
        "method": "GET",
        "path": "/things",
        "module": found["operations"]["things.get"]["module"],
        "deprecated": False,
        "charges_credits": False,
    }


@pytest.mark.parametrize("text", ['"""', "{{ 7 * 7 }}", "\n# x", "\u2028", "</script>", "é"])
def test_texts_are_only_texts(tmp_path: Path, text: str) -> None:
    paths = {"/things": post({"type": "object", "description": text, "example": text}, summary="s", description=text)}
    found = operations(tmp_path, paths)["operations"]["things.create"]
    assert found["description"] == text
    assert found["body"]["description"] == text
