"""Rows by which operations lead to others: tasks, pages and the balance; which mistakes in them stop the generator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.build import Build
from generator.contract import Contract
from generator.problems import WrongRow

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
Document = dict[str, Any]


def answer(**properties: Any) -> Any:
    schema = {"type": "object", "title": "Of" + "".join(properties).title().replace("_", ""), "properties": properties}
    return {"200": {"description": "Done.", "content": {"application/json": {"schema": schema}}}}


TEXT, NUMBER, LIST = {"type": "string"}, {"type": "number"}, {"type": "array", "items": {"type": "string"}}
PICTURES = {"type": "array", "items": {"$ref": "#/components/schemas/Picture"}}


@pytest.fixture
def linked(document: Document) -> Document:
    """A document with a task, with pages and with a balance."""
    schemas = document["components"]["schemas"]
    schemas["Picture"] = {"type": "object", "properties": {"path": TEXT, "url": TEXT}}
    id = {"name": "id", "in": "path", "required": True, "schema": TEXT}
    states = {"type": "string", "enum": ["busy", "ready", "broken"]}
    page = [{"name": name, "in": "query", "schema": TEXT} for name in ("cursor", "colour")]
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    document["paths"] |= {
        "/search": {
            "post": {
                "operationId": "search",
                "tags": ["search"],
                "x-task": {"get": "get_search", "done": ["ready"], "failed": ["broken"], "outputs": "pictures"},
                "requestBody": body,
                "responses": answer(id=TEXT),
            }
        },
        "/search/{id}": {
            "get": {
                "operationId": "get_search",
                "tags": ["search"],
                "parameters": [id],
                "responses": answer(id=TEXT, status=states, pictures=PICTURES, score=NUMBER),
            }
        },
        "/items": {
            "get": {
                "operationId": "list_items",
                "tags": ["items"],
                "parameters": page,
                "x-pages": {"cursor": "cursor", "next": "more", "items": "listed"},
                "responses": answer(more=TEXT, listed=LIST),
            }
        },
        "/me": {
            "get": {
                "operationId": "get_me",
                "tags": ["me"],
                "x-balance": "money",
                "responses": answer(money=NUMBER, name=TEXT),
            }
        },
    }
    return document


def test_what_they_become(linked: Document) -> None:
    endpoints = Build(Contract(linked), TEMPLATES).endpoints
    task = endpoints.tasks["search"]
    assert (task.get.call_name, task.done, task.failed, task.outputs) == (
        "search.get",
        ("ready",),
        ("broken",),
        "pictures",
    )
    assert {field.attribute: str(field.annotation) for field in task.fields} == {
        "pictures": "list[_models.Picture]",
        "score": "float | None",
    }
    views = {view.call_name: view for view in endpoints.all()}
    assert views["search.create"].generates
    assert [field.attribute for field in views["items.get"].page_keywords] == ["colour"]
    assert str(views["items.get"].pages.item) == "str"
    assert endpoints.balance() == ("me.get", "money")


def row(path: str, method: str, name: str, value: Any) -> Callable[[Document], None]:
    """A mistake: another value of a row."""

    def plant(document: Document) -> None:
        document["paths"][path][method][name] = value

    return plant


def part(path: str, method: str, name: str, **values: Any) -> Callable[[Document], None]:
    """A mistake: other values in a row."""

    def plant(document: Document) -> None:
        document["paths"][path][method][name] |= values

    return plant


def another_balance(document: Document) -> None:
    other = {"operationId": "get_you", "x-balance": "cash", "responses": answer(cash=NUMBER)}
    document["paths"]["/you"] = {"get": {**document["paths"]["/me"]["get"], **other}}


def without_status(document: Document) -> None:
    get = document["paths"]["/search/{id}"]["get"]
    get["responses"] = answer(id=TEXT, pictures=PICTURES)


@pytest.mark.parametrize(
    ("mistake", "line"),
    [
        (row("/search", "post", "x-task", "get_search"), "POST /search: x-task: expected get, done, failed"),
        (part("/search", "post", "x-task", until="x"), "POST /search: x-task: expected get, done, failed"),
        (part("/search", "post", "x-task", get="get_nothing"), "x-task.get: 'get_nothing' is not the operationId"),
        (part("/search", "post", "x-task", get="search"), "x-task.get: 'search' is not the operationId of a GET"),
        (part("/search", "post", "x-task", get="get_me"), "x-task.get: 'get_me' is not the operationId of a GET"),
        (part("/search", "post", "x-task", done=["done"]), "x-task.done: 'done' is not a status of its answer"),
        (part("/search", "post", "x-task", failed=[]), "x-task.failed: expected a list of statuses"),
        (part("/search", "post", "x-task", failed="broken"), "x-task.failed: expected a list of statuses"),
        (part("/search", "post", "x-task", outputs="files"), "x-task.outputs: 'files' is not a field of the answer"),
        (part("/search", "post", "x-task", outputs="score"), "x-task.outputs: 'score' is not a list of objects"),
        (without_status, "POST /search: x-task.get: get_search: 'status' is not a field of the answer"),
        (row("/search", "post", "x-charges-credits", True), "x-task: a task is free and has no project"),
        (row("/items", "get", "x-pages", {"cursor": "cursor"}), "GET /items: x-pages: expected cursor, items, next"),
        (part("/items", "get", "x-pages", cursor="page"), "x-pages.cursor: 'page' is not a parameter of the query"),
        (part("/items", "get", "x-pages", next="next"), "x-pages.next: 'next' is not a field of the answer"),
        (part("/items", "get", "x-pages", items="items"), "x-pages.items: 'items' is not a field of the answer"),
        (part("/items", "get", "x-pages", items="more"), "x-pages.items: 'more' is not a list"),
        (row("/me", "get", "x-balance", "cash"), "GET /me: x-balance: 'cash' is not a field of the answer"),
        (row("/me", "get", "x-balance", "name"), "GET /me: x-balance: 'name' is not a number"),
        (row("/search/{id}", "get", "x-balance", "score"), "x-balance: only a GET without parameters can say it"),
        (another_balance, "GET /you: x-balance: another operation says it already"),
        (row("/me", "get", "x-command", {"group": "me"}), "GET /me: x-command: expected a name"),
        (row("/me", "get", "x-command", {"group": "", "name": "me"}), "GET /me: x-command: expected a name"),
    ],
)
def test_a_mistake_stops_the_generator_with_its_place(
    mistake: Callable[[Document], None], line: str, linked: Document
) -> None:
    mistake(linked)
    with pytest.raises(WrongRow) as caught:
        Build(Contract(linked), TEMPLATES)
    assert line in str(caught.value)


def test_a_command_of_its_own_needs_no_group(linked: Document) -> None:
    row("/me", "get", "x-command", {"name": "me"})(linked)
    row("/items", "get", "x-command", {"name": "me"})(linked)
    with pytest.raises(WrongRow, match="GET /me: x-command: GET /items is `me` already"):
        Build(Contract(linked), TEMPLATES)
