"""What `Client` and `AsyncClient` are made of, whatever the contract: settings, a transport, and closing.

Rule: no decision here. A client holds things together and closes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Self, TypeVar

from .endpoints import Request
from .settings import Settings, checked_seconds, settings
from .transport import AsyncTransport, BaseTransport, SyncTransport

T = TypeVar("T")
AnyTransport = TypeVar("AnyTransport", bound=BaseTransport)


class _Base(Generic[AnyTransport]):
    """What both clients share."""

    _connect: Callable[[Settings, Any], AnyTransport]

    def __init__(
        self,
        token: str | None,
        *,
        base_url: str | None,
        request_timeout: float | None,
        http_client: Any,
        allow_http: bool,
    ) -> None:
        checked = settings(token, base_url, request_timeout, allow_http=allow_http)
        self._transport = self._connect(checked, http_client)

    @property
    def base_url(self) -> str:
        """The address of the service."""
        return self._transport.settings.base_url

    def _seconds(self, timeout: float | None) -> float | None:
        return checked_seconds("timeout", timeout) or self._transport.settings.request_timeout

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"


class BaseClient(_Base[SyncTransport]):
    """The base of `Client`."""

    _connect = SyncTransport

    def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a request, exactly once, and return its result. The modules under `api` build requests."""
        return self._transport.send(request, timeout=self._seconds(timeout), extra_headers=extra_headers)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BaseAsyncClient(_Base[AsyncTransport]):
    """The base of `AsyncClient`."""

    _connect = AsyncTransport

    async def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a request, exactly once, and return its result. The modules under `api` build requests."""
        return await self._transport.send(request, timeout=self._seconds(timeout), extra_headers=extra_headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
