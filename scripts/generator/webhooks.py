"""The webhook events of the document that are about jobs: their types, and the model of their payload.

Rule: an event counts if its payload is what the GET of a project answers; other webhooks are left to the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from .contract import Contract
from .endpoints import Endpoints
from .problems import WrongRow
from .rows import shown
from .views import Views

ROW = "x-ends-job"


@attrs.frozen(kw_only=True)
class EventTypeView:
    """One type of event."""

    type: str
    kind: str
    payload: str
    """The class of the payload."""
    ends_job: bool


def event_types(contract: Contract, views: Views, endpoints: Endpoints) -> list[EventTypeView]:
    """Every type of event about a job, in the order of the document.

    Raises:
        WrongRow: a row names a type that its event cannot have, or two webhooks have the same type.
    """
    kinds = {get.result_annotation.removeprefix("_models."): kind for kind, get in endpoints.project_gets().items()}
    found: dict[str, EventTypeView] = {}
    problems: list[str] = []
    for name, operation in _webhooks(contract):
        event = contract.schema(contract.json_media(operation.get("requestBody")).get("schema"))
        fields = event.get("properties") or {}
        payload = _class_of(fields.get("payload"))
        if payload not in kinds or payload not in views.models:
            continue
        types = [each for each in contract.resolve(fields.get("type")).get("enum") or [] if isinstance(each, str)]
        ends = _listed(operation.get(ROW, []))
        problems += [
            f"webhook {shown(name)}: {ROW}: {shown(each)} is not one of its types" for each in ends if each not in types
        ]
        problems += [
            f"webhook {shown(name)}: {shown(each)} is a type of another one" for each in types if each in found
        ]
        for each in types:
            view = EventTypeView(type=each, kind=kinds[payload], payload=payload, ends_job=each in ends)
            found.setdefault(each, view)
    if problems:
        raise WrongRow("these rows of the document are wrong:", problems)
    return list(found.values())


def _webhooks(contract: Contract) -> Iterator[tuple[str, dict[str, Any]]]:
    webhooks = contract.raw.get("webhooks")
    for name, item in (webhooks if isinstance(webhooks, dict) else {}).items():
        operation = contract.resolve(item).get("post")
        if isinstance(operation, dict):
            yield str(name), operation


def _class_of(schema: Any) -> str:
    """The name of the component that a field refers to; none if it is not a reference."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    return reference.rpartition("/")[2] if isinstance(reference, str) else ""


def _listed(row: Any) -> list[Any]:
    return row if isinstance(row, list) else [row]
