"""The contract itself: its rows are complete, and what it shows as an example is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from generator.contract import load
from magic_hour_workflows import estimate_credits

CONTRACT = load(Path(__file__).resolve().parents[2] / "spec" / "magic-hour.openapi.yaml")
OPERATIONS = {f"{method.upper()} {path}": operation for path, method, operation in CONTRACT.operations()}
PAID = {name: operation for name, operation in OPERATIONS.items() if operation.get("x-charges-credits")}
REGISTRY: Registry[Any] = Registry().with_resource("urn:contract", DRAFT202012.create_resource(CONTRACT.raw))
NOT_PRICED = {"POST /v1/ai-video-editor", "POST /v1/character-replace"}
"""The service does not document what these cost (spec/README.md, Prices)."""

AS_IN_2025 = {"POST /v1/ai-talking-photo"}
"""Its example answer is that of a page of 2025 word for word, with the price of then."""


def test_every_paid_operation_has_its_rows() -> None:
    assert len(PAID) == 27
    rows = {"x-project-kind", "x-command", "x-median-seconds", "x-emulator"}
    assert {name: rows - operation.keys() for name, operation in PAID.items() if rows - operation.keys()} == {}
    assert {name for name, operation in PAID.items() if "x-credits" not in operation} == NOT_PRICED
    assert all(operation["x-command"]["examples"] for operation in PAID.values())
    described = {tag["name"] for tag in CONTRACT.raw["tags"]}
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == described


@pytest.mark.parametrize("name", sorted(PAID.keys() - NOT_PRICED - AS_IN_2025))
def test_the_example_answer_charges_what_the_example_request_costs(name: str) -> None:
    operation = PAID[name]
    request = CONTRACT.json_media(operation["requestBody"])["example"]
    answer = CONTRACT.json_media(operation["responses"]["200"])["example"]
    estimate = estimate_credits(operation["tags"][0].removeprefix("v1."), **request)
    assert estimate.credits <= answer["credits_charged"]
    assert estimate.at_most is None or answer["credits_charged"] <= estimate.at_most


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_fit(name: str) -> None:
    """The bodies and answers that pages show, with their conditions; and the example of each field of a body."""
    operation = OPERATIONS[name]
    body = CONTRACT.json_media(operation.get("requestBody"))
    answer = CONTRACT.json_media(operation["responses"].get("200", {}))
    for media in (body, answer):
        if media:
            _check(media["example"], media["schema"])
    if body:
        _check_fields(body["schema"])
    for parameter in operation.get("parameters", []):
        _check(parameter["example"], parameter["schema"])


def _check_fields(schema: Any) -> None:
    for field in CONTRACT.schema(schema).get("properties", {}).values():
        whole = CONTRACT.schema(field)
        if "example" in whole:
            _check(whole["example"], field)
        _check_fields(field)
        _check_fields(whole.get("items", {}))


def _check(value: Any, schema: Any) -> None:
    jsonschema.Draft202012Validator(_absolute(schema), registry=REGISTRY).validate(value)


def _absolute(node: Any) -> Any:
    """A schema of the document that can stand alone: its references lead back into the document."""
    if isinstance(node, list):
        return [_absolute(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: f"urn:contract{value}" if key == "$ref" else _absolute(value) for key, value in node.items()}
