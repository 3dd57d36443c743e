"""What `Client` and `AsyncClient` are made of, whatever the contract: settings, a transport, and closing.

Rule: no decision here. A client holds things together and closes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from .endpoints import Request
from .settings import checked_seconds, settings
from .transport import AsyncTransport, SyncTransport

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class BaseClient:
    """The base of `Client`."""

    def __init__(
        self,
        token: str | None,
        *,
        base_url: str | None,
        request_timeout: float | None,
        http_client: httpx.Client | None,
        allow_http: bool,
    ) -> None:
        checked = settings(token, base_url, request_timeout, allow_http=allow_http)
        self._transport = SyncTransport(checked, http_client)

    @property
    def base_url(self) -> str:
        """The address of the service."""
        return self._transport.settings.base_url

    def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a request, exactly once, and return its result. The modules under `api` build requests."""
        seconds = checked_seconds("timeout", timeout) or self._transport.settings.request_timeout
        return self._transport.send(request, timeout=seconds, extra_headers=extra_headers)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"


class BaseAsyncClient:
    """The base of `AsyncClient`."""

    def __init__(
        self,
        token: str | None,
        *,
        base_url: str | None,
        request_timeout: float | None,
        http_client: httpx.AsyncClient | None,
        allow_http: bool,
    ) -> None:
        checked = settings(token, base_url, request_timeout, allow_http=allow_http)
        self._transport = AsyncTransport(checked, http_client)

    @property
    def base_url(self) -> str:
        """The address of the service."""
        return self._transport.settings.base_url

    async def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a request, exactly once, and return its result. The modules under `api` build requests."""
        seconds = checked_seconds("timeout", timeout) or self._transport.settings.request_timeout
        return await self._transport.send(request, timeout=seconds, extra_headers=extra_headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"
