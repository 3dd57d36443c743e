"""Types of webhook events are generated from the webhooks of a document, and rows about them must name what exists."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from generator.build import Build
from generator.contract import Contract
from generator.problems import WrongRow
from generator.webhooks import EventTypeView

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


@pytest.fixture
def pushing(document: dict[str, Any]) -> dict[str, Any]:
    """A document with one kind of project, and a webhook about it."""
    get = document["paths"].pop("/things/{id}")
    document["paths"]["/v9/thing-projects/{id}"] = get
    document["paths"]["/things"]["post"]["x-project-kind"] = "thing"
    document["components"]["schemas"]["Thing"]["properties"]["id"] = {"type": "string"}
    thing = {"$ref": "#/components/schemas/Thing"}
    get["get"]["responses"]["200"] = {"description": "It.", "content": {"application/json": {"schema": thing}}}
    event = {"type": "object", "properties": {"type": {"enum": ["thing.new", "thing.old"]}, "payload": thing}}
    document["components"]["schemas"]["ThingEvent"] = event
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/ThingEvent"}}}}
    post = {"operationId": "on_thing", "requestBody": body, "responses": {"200": {"description": "Received."}}}
    document["webhooks"] = {"thing": {"post": {**post, "x-ends-job": ["thing.old"]}}}
    return document


def test_types_come_from_the_document(pushing: dict[str, Any]) -> None:
    assert Build(Contract(pushing), TEMPLATES).event_types == [
        EventTypeView(type="thing.new", kind="thing", payload="Thing", ends_job=False),
        EventTypeView(type="thing.old", kind="thing", payload="Thing", ends_job=True),
    ]


def test_other_webhooks_are_left_to_the_program(pushing: dict[str, Any]) -> None:
    pushing["components"]["schemas"]["ThingEvent"]["properties"]["payload"] = {"type": "object"}
    del pushing["webhooks"]["thing"]["post"]["x-ends-job"]
    pushing["webhooks"]["bare"] = {"post": {"responses": {"200": {"description": "Received."}}}}
    assert Build(Contract(pushing), TEMPLATES).event_types == []


def test_rows_name_what_exists(pushing: dict[str, Any]) -> None:
    again = copy.deepcopy(pushing)
    again["webhooks"]["other"] = again["webhooks"]["thing"]
    with pytest.raises(WrongRow, match=r"webhook 'other': 'thing\.new' is a type of another one"):
        Build(Contract(again), TEMPLATES)
    for wrong, shown in ((["thing.lost"], "'thing.lost'"), ("odd", "'odd'"), (None, "None")):
        pushing["webhooks"]["thing"]["post"]["x-ends-job"] = wrong
        with pytest.raises(WrongRow, match=rf"webhook 'thing': x-ends-job: {shown} is not one of its types"):
            Build(Contract(pushing), TEMPLATES)
