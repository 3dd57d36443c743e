"""Answers that come in pages: which page is next, and the items of all of them.

Rule: pages that never end are an error. A cursor that comes back would bring the same pages for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

from .endpoints import AsyncSender, Endpoint, Request, Sender, unreadable
from .types import PageFields


class Pages:
    """One pass over all pages.

    Args:
        endpoint: an endpoint with pages.
        fields: how they follow each other.
        arguments: those of its request, without the cursor.

    Raises:
        InvalidArgument: an argument is invalid; nothing was sent.
    """

    def __init__(self, endpoint: Endpoint[..., Any], fields: PageFields, arguments: Mapping[str, Any]) -> None:
        self._endpoint = endpoint
        self._fields = fields
        self._arguments = arguments
        self._first: Request[Any] | None = endpoint.request(**arguments)
        self._cursor: Any = None
        self._seen: set[Any] = set()

    def request(self) -> Request[Any] | None:
        """The request for the next page; None after the last one.

        Raises:
            UnexpectedResponse: the cursor is invalid, or led to a page before.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        cursor, name = self._cursor, self._endpoint.name
        if cursor is None or cursor == "":
            return None
        if not isinstance(cursor, (str, int)):
            raise unreadable(name, 200, f"{self._fields.next} is not a cursor")
        if cursor in self._seen:
            raise unreadable(name, 200, f"{self._fields.next} is that of an earlier page, so the pages would never end")
        self._seen.add(cursor)
        return self._endpoint.request(**{**self._arguments, self._fields.cursor: cursor})

    def read(self, page: Any) -> list[Any]:
        """The items of a page; the next request asks for the page after it."""
        self._cursor = getattr(page, self._fields.next, None)
        return getattr(page, self._fields.items, None) or []


def iterate(
    sender: Sender,
    endpoint: Endpoint[..., Any],
    arguments: Mapping[str, Any],
    *,
    timeout: float | None,
    extra_headers: Mapping[str, str] | None,
) -> Iterator[Any]:
    """Every item of every page. A page is asked for when its first item is."""
    pages = Pages(endpoint, _fields_of(endpoint), arguments)  # here, so that a wrong argument is found at once

    def items() -> Iterator[Any]:
        while (request := pages.request()) is not None:
            yield from pages.read(sender.send(request, timeout=timeout, extra_headers=extra_headers))

    return items()


def iterate_async(
    sender: AsyncSender,
    endpoint: Endpoint[..., Any],
    arguments: Mapping[str, Any],
    *,
    timeout: float | None,
    extra_headers: Mapping[str, str] | None,
) -> AsyncIterator[Any]:
    """The same for `async for`."""
    pages = Pages(endpoint, _fields_of(endpoint), arguments)

    async def read(request: Request[Any]) -> list[Any]:
        return pages.read(await sender.send(request, timeout=timeout, extra_headers=extra_headers))

    return _AsyncItems(pages, read)


class _AsyncItems(AsyncIterator[Any]):
    """No generator, which trio would want closed by whoever stops early."""

    def __init__(self, pages: Pages, read: Callable[[Request[Any]], Awaitable[list[Any]]]) -> None:
        self._pages = pages
        self._read = read
        self._items: deque[Any] = deque()

    async def __anext__(self) -> Any:
        while not self._items:
            if (request := self._pages.request()) is None:
                raise StopAsyncIteration
            self._items.extend(await self._read(request))
        return self._items.popleft()


def _fields_of(endpoint: Endpoint[..., Any]) -> PageFields:
    if endpoint.pages is None:
        raise TypeError(f"{endpoint.name} has no pages")
    return endpoint.pages
