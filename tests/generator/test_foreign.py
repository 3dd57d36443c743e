"""A document that has nothing in common with the contract: everything OpenAPI offers still becomes a usable client."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def api(foreign: Any) -> Callable[[str], Any]:
    def operation(name: str) -> Any:
        module, operation = name.split(".")
        return getattr(importlib.import_module(f"corner_library_client.api.{module}"), operation)

    return operation


@pytest.fixture(scope="module")
def read(api: Callable[[str], Any]) -> Callable[..., Any]:
    """Reads an answer of an operation: `read("books.get_book", {...})`."""
    types = importlib.import_module("corner_library_client.types")
    json = importlib.import_module("json")

    def reader(name: str, body: Any, status: int = 200) -> Any:
        return api(name).parse(types.Response(status, content=json.dumps(body).encode()))

    return reader


def test_size_and_imports(foreign: Any) -> None:
    package = importlib.import_module("corner_library_client")
    modules = [
        importlib.import_module(info.name) for info in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    ]
    endpoint = importlib.import_module("corner_library_client.types").Endpoint
    operations = {
        (module.__name__, name)
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, endpoint) and ".api." in module.__name__
    }
    assert len(operations) == len(foreign.build.endpoints.all()) >= 30
    for name in ("models", "params"):
        lazy = importlib.import_module(f"corner_library_client.{name}")
        assert all(getattr(lazy, export) is not None for export in lazy.__all__)
    assert len(list(foreign.reference.glob("*.md"))) >= 12


CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], tuple[str, str, Any, Any]]] = {
    "query and header": ("books.list_books", (), {"limit": 5, "genre": ["crime", "new one"], "available": True,
     "published_after": date(2026, 1, 31)}, ("GET", "/books", [("limit", "5"), ("genre", "crime"), ("genre", "new one"),
     ("publishedAfter", "2026-01-31"), ("available", "true")], None)),
    "nothing sent that was not given": ("books.list_books", (), {}, ("GET", "/books", [], None)),
    "names on the wire": ("books.add_book", (), {"title": "a", "class_": "A", "page_count": 1, "field_2_nd_author": "b",
     "type": "c", "published": date(2026, 1, 31)}, ("POST", "/books", [], {"title": "a", "class": "A", "page-count": 1,
     "2ndAuthor": "b", "type": "c", "published": "2026-01-31"})),
    "a map of objects": ("books.add_book", (), {"title": "a", "class_": "A", "identifiers": {"isbn": {"amount": 1,
     "currency": "eur"}}, "similar": [["b"]]}, ("POST", "/books", [], {"title": "a", "class": "A",
     "identifiers": {"isbn": {"amount": 1, "currency": "eur"}}, "similar": [["b"]]})),
    "a path": ("books.get_book", (UUID(ID),), {}, ("GET", f"/books/{ID}", [], None)),
    "two in a path": ("books.get_review", (ID, 7), {}, ("GET", f"/books/{ID}/reviews/7", [], None)),
    "inside a segment": ("build.export_json", ("a+b",), {}, ("GET", "/exports/a%2Bb.json", [], None)),
    "put": ("books.replace_book", (ID,), {"title": "a", "class_": "A"}, ("PUT", f"/books/{ID}", [], {"title": "a",
     "class": "A"})),
    "patch with null": ("books.change_book", (ID,), {"subtitle": None, "rating": "unrated"}, ("PATCH", f"/books/{ID}",
     [], {"subtitle": None, "rating": "unrated"})),
    "patch without": ("books.change_book", (ID,), {"title": "b"}, ("PATCH", f"/books/{ID}", [], {"title": "b"})),
    "inline objects": ("readers.add_reader", (), {"full_name": "a", "address": {"city": "b", "geo": {"lat": 1,
     "lon": 2.5}}, "field_2nd_email": "c", "labels": {"d": "e"}}, ("POST", "/readers", [], {"fullName": "a",
     "address": {"city": "b", "geo": {"lat": 1, "lon": 2.5}}, "2nd-email": "c", "labels": {"d": "e"}})),
    "a list for a body": ("readers.replace_favourites", ("r",), {"body": [UUID(ID)]}, ("PUT", "/readers/r/favourites",
     [], [ID])),
    "a map for a body": ("shop.set_stock", (), {"body": {"sku": 3}}, ("PUT", "/stock", [], {"sku": 3})),
    "query beside a body": ("loans.extend_loan", (4,), {"until": date(2026, 1, 31), "notify": False}, ("POST",
     "/loans/4/extend", [("notify", "false")], {"until": "2026-01-31"})),
    "recursion": ("shelves.add_shelf", (), {"name": "a", "parent": {"name": "b", "parent": None},
     "children": [{"name": "c", "children": []}]}, ("POST", "/shelves", [], {"name": "a", "parent": {"name": "b",
     "parent": None}, "children": [{"name": "c", "children": []}]})),
    "a choice": ("shop.order", (), {"lines": [{"sku": "a"}], "payment": {"card": "1"}, "default": "b"}, ("POST",
     "/orders", [], {"lines": [{"sku": "a"}], "payment": {"card": "1"}, "default": "b"})),
    "head": ("shop.ping", (), {}, ("HEAD", "/ping", [], None)),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str, api: Any) -> None:
    operation, positional, keywords, wanted = CALLS[name]
    call = api(operation).request(*positional, **keywords)
    assert (call.endpoint.method, call.path, list(call.query), call.body) == wanted


def test_header_parameters(api: Any) -> None:
    assert api("books.list_books").request(x_trace_id=UUID(ID)).headers == {"X-Trace-Id": ID}


REFUSED = {
    "wrong type": ("shop.set_stock", {"body": {"sku": "many"}}, "`body.sku`: expected an integer"),
    "missing": ("books.add_book", {"title": None, "class_": "A"}, "`title`: required, but missing"),
    "misspelt inside": ("shelves.add_shelf", {"name": "a", "parent": {"nam": "b"}}, "did you mean `parent.name`"),
    "misspelt in a list": ("shop.order", {"lines": [{"skuu": "a"}]}, "did you mean `lines[0].sku`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, api: Any) -> None:
    operation, keywords, message = REFUSED[name]
    with pytest.raises(importlib.import_module("corner_library_client").InvalidArgument, match=re.escape(message)):
        api(operation).request(**keywords)


def test_deprecated_value_that_is_a_number(api: Any) -> None:
    with pytest.warns(DeprecationWarning, match=re.escape("`days=14` is deprecated: use 7 or 28")):
        api("loans.lend").request(book=ID, reader="r", days=14)


def test_answers(read: Any) -> None:
    book = read(
        "books.get_book",
        {
            "id": ID,
            "addedAt": "2026-01-31T12:00:00Z",
            "title": "a",
            "class": "Z",
            "genre": "new",
            "published": "2026-01-31",
            "identifiers": {"isbn": {"amount": 1.5, "currency": "eur"}},
            "sequel": {"id": ID, "title": "b"},
            "state": "burnt",
            "unknown": [1],
        },
    )
    assert (book.id, book.added_at) == (UUID(ID), datetime(2026, 1, 31, 12, tzinfo=UTC))
    assert (book.class_, book.genre, book.state) == ("Z", "new", "burnt"), "enums of answers are open"
    assert book.published == date(2026, 1, 31)
    assert book.identifiers["isbn"].amount == 1.5
    assert book.sequel.title == "b"
    assert book.additional_properties == {"unknown": [1]}
    assert book.to_dict()["sequel"] == {"id": ID, "title": "b", "class": None, "addedAt": None}
    assert book.to_dict()["identifiers"] == {"isbn": {"amount": 1.5, "currency": "eur"}}


def test_answers_of_other_shapes(read: Any) -> None:
    assert read("books.delete_book", None, 204) is None
    assert read("shop.get_stock", {"sku": 2}) == {"sku": 2}
    assert read("books.list_covers", ["a", "b"]) == ["a", "b"]
    assert read("readers.replace_favourites", [ID]) == [UUID(ID)]
    assert read("build.export_json", {"any": [1]}) == {"any": [1]}
    assert [review.stars for review in read("books.list_reviews", [{"stars": 9}, {"stars": 1}])] == [9, 1]
    assert read("loans.get_loan", {"loan_id": 1, "due": "2026-01-31"}, 203).due == date(2026, 1, 31)
    page = read("books.list_books", {"items": [], "nextPage": None})
    assert (page.items, page.next_page) == ([], None)


def test_a_choice_is_read_as_what_fits(read: Any) -> None:
    models = importlib.import_module("corner_library_client.models")
    order = {"lines": [], "payment": {"card": "1", "valid": "12/30"}}
    assert isinstance(read("shop.get_order", order).payment, models.PaymentType1)
    assert isinstance(read("shop.get_order", {"lines": [], "payment": {"iban": "1"}}).payment, models.PaymentType0)
    assert read("books.add_review", {"stars": 1, "author": "me"}).author == "me"
    assert read("books.add_review", {"stars": 1, "author": {"id": "r", "fullName": "me"}}).author.full_name == "me"


def test_names(foreign: Any) -> None:
    names = {view.call_name for view in foreign.build.endpoints.all()}
    assert {"books.covers.list_covers", "books.covers.get_cover"} <= names, "both would be books.covers.get"
    assert {
        "books.create",
        "books.replace",
        "books.update",
        "books.delete",
        "ping.head",
        "loans.return_.create",
    } <= names
    assert {"exports.export_json", "exports.export_geo"} <= names


def test_sync_and_async_are_the_same(foreign: Any) -> None:
    for node in foreign.build.endpoints.resources():
        module = importlib.import_module(f"corner_library_client.resources.{node.module}")
        sync, asynchronous = getattr(module, node.class_name), getattr(module, f"Async{node.class_name}")
        for operation in node.operations:
            one, other = getattr(sync, operation.method_name), getattr(asynchronous, operation.method_name)
            assert inspect.signature(one) == inspect.signature(other)
            assert one.__doc__ == other.__doc__
            assert inspect.iscoroutinefunction(other)


def test_address_of_a_server_with_variables(foreign: Any) -> None:
    settings = importlib.import_module("corner_library_client._runtime.settings")
    assert settings.DEFAULT_BASE_URL == "https://eu.library.example/api"
