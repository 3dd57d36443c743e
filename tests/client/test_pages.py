"""Answers in pages: every item once, in order, one request for each page, and no way to go round in circles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from client.harness import Either
from magic_hour_client.errors import InvalidArgument, UnexpectedResponse


class Saved:
    """A service whose pages are linked as `links` says: the cursor of a page, and that of the one after it."""

    def __init__(self, links: dict[str | None, Any]) -> None:
        self.links = links
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.asked.append(query)
        assert len(self.asked) < 10, "round in circles"
        cursor = query.get("cursor")
        items = [{"id": f"{cursor}-{number}", "type": "voice", "name": None, "assets": []} for number in range(2)]
        return httpx.Response(200, json={"items": items, "next_cursor": self.links[cursor]})


def every(items: Any) -> Any:
    """The ids of all items, to be awaited if the iterator is an async one."""
    if not isinstance(items, AsyncIterator):
        return [item.id for item in items]

    async def found() -> list[str]:
        return [item.id async for item in items]

    return found()


def first(items: Any) -> Any:
    """The id of the first item alone."""
    if not isinstance(items, AsyncIterator):
        return next(items).id

    async def found() -> str:
        item: Any = await anext(items)
        return str(item.id)

    return found()


@pytest.mark.parametrize("end", [None, ""])
def test_all_items_of_all_pages_in_order(either: Either, end: str | None) -> None:
    service = Saved({None: "a", "a": "b", "b": end})
    ids = either.call(lambda client: every(client.v1.saved_items.iterate(type="voice", limit=2)), service)
    assert ids == ["None-0", "None-1", "a-0", "a-1", "b-0", "b-1"]
    given = {"type": "voice", "limit": "2"}
    assert service.asked == [given, {**given, "cursor": "a"}, {**given, "cursor": "b"}]


def test_a_page_is_asked_for_when_it_is_needed(either: Either) -> None:
    service = Saved({None: "a", "a": None})
    assert either.call(lambda client: first(client.v1.saved_items.iterate()), service) == "None-0"
    assert service.asked == [{}]


@pytest.mark.parametrize("links", [{None: "a", "a": "a"}, {None: "a", "a": "b", "b": "a"}])
def test_pages_that_would_never_end_are_an_error(either: Either, links: dict[str | None, str]) -> None:
    service = Saved(dict(links))
    with pytest.raises(UnexpectedResponse, match="never end"):
        either.call(lambda client: every(client.v1.saved_items.iterate()), service)
    assert len(service.asked) == len(links)


def test_a_cursor_that_is_none_is_an_error(either: Either) -> None:
    service = Saved({None: {"page": 2}})
    with pytest.raises(UnexpectedResponse):
        either.call(lambda client: every(client.v1.saved_items.iterate()), service)


def test_a_wrong_argument_is_found_at_once(either: Either) -> None:
    service = Saved({None: None})
    with pytest.raises(InvalidArgument, match="limit"):
        either.call(lambda client: client.v1.saved_items.iterate(limit=101), service)
    assert service.asked == []
