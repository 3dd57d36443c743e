"""`Client` and `AsyncClient`: the low-level clients with `generate`, `wait` and `download` on top.

Rule: no decision here. A client brings settings, a `Backend` and the tree of resources together, and closes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self, TypeVar

import magic_hour_client.client as low_level
from magic_hour_client._runtime.settings import DEFAULT_TIMEOUT as REQUEST_TIMEOUT
from magic_hour_client._runtime.settings import checked_seconds
from magic_hour_client.types import Request

from ._backend import run_sync
from ._flows.call import Call
from ._flows.submit import carry, send
from ._settings import DEFAULT_MAX_PARALLEL, DEFAULT_TIMEOUT, Defaults

if TYPE_CHECKING:
    import httpx

    from ._async_backend import AsyncBackend
    from ._sync_backend import SyncBackend
    from .events import Event
    from .resources.tree import V1, AsyncV1

T = TypeVar("T")


class Client(low_level.Client):
    """The service, one call at a time. Use it as a context manager, or call `close`.

    Args:
        token: the API key; the variable `MAGIC_HOUR_API_KEY` if not given.
        base_url: the address of the service; the variable `MAGIC_HOUR_BASE_URL` or the live service if not given.
        timeout: seconds a whole `generate`, `wait` or `download` may take.
        request_timeout: seconds a single low-level call may take, its repetitions included.
        poll_interval: seconds between looks at a job; the variable `MAGIC_HOUR_POLL_INTERVAL`, or a growing interval
            from 1 to 30 seconds if not given.
        max_parallel: how many files of one job are transferred at a time.
        http_client: an HTTP client of your own, used for every request and left open.
        allow_http: allow plain `http://` to other machines than this one.

    Raises:
        InvalidArgument: there is no key, or a value cannot be right.

    Example:
        >>> with Client(token=token, base_url=base_url) as client:
        ...     result = client.v1.ai_image_generator.generate(
        ...         image_count=1, style={"prompt": "A red fox"}, download_directory=folder
        ...     )
        >>> result.status
        'complete'
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        request_timeout: float = REQUEST_TIMEOUT,
        poll_interval: float | None = None,
        max_parallel: int = DEFAULT_MAX_PARALLEL,
        http_client: httpx.Client | None = None,
        allow_http: bool = False,
    ) -> None:
        seconds = checked_seconds("request_timeout", request_timeout)
        super().__init__(token, base_url=base_url, timeout=seconds, http_client=http_client, allow_http=allow_http)
        self._defaults = Defaults.checked(
            timeout=timeout, poll_interval=poll_interval, max_parallel=max_parallel, allow_http=allow_http
        )

    @cached_property
    def v1(self) -> V1:
        """Everything under `v1`."""
        from .resources.tree import V1

        return V1(self)

    @cached_property
    def _backend(self) -> SyncBackend:
        from ._sync_backend import SyncBackend

        return SyncBackend(self._transport, self._defaults.max_parallel)

    def _begin(
        self,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> Call:
        """Start the time of one call."""
        return self._defaults.begin(self._backend, timeout, poll_interval, on_progress)

    def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a call and give its result.

        What can be repeated is tried again if it fails in a way that may pass. What charges credits is sent once;
        if its outcome is not known, that is a `SubmissionUnknown`.
        """
        seconds = checked_seconds("timeout", timeout) or self._transport.settings.timeout
        call = self._begin(seconds)
        return run_sync(send(call, request, extra_headers), partial(carry, call))


class AsyncClient(low_level.AsyncClient):
    """The service for asyncio and trio. Use it as an async context manager, or call `close`.

    Args:
        token: the API key; the variable `MAGIC_HOUR_API_KEY` if not given.
        base_url: the address of the service; the variable `MAGIC_HOUR_BASE_URL` or the live service if not given.
        timeout: seconds a whole `generate`, `wait` or `download` may take.
        request_timeout: seconds a single low-level call may take, its repetitions included.
        poll_interval: seconds between looks at a job; the variable `MAGIC_HOUR_POLL_INTERVAL`, or a growing interval
            from 1 to 30 seconds if not given.
        max_parallel: how many files of one job are transferred at a time.
        http_client: an HTTP client of your own, used for every request and left open.
        allow_http: allow plain `http://` to other machines than this one.

    Raises:
        InvalidArgument: there is no key, or a value cannot be right.

    Example:
        >>> import asyncio
        >>> async def main():
        ...     async with AsyncClient(token=token, base_url=base_url) as client:
        ...         return await client.v1.ai_image_generator.generate(
        ...             image_count=1, style={"prompt": "A red fox"}, download_directory=folder
        ...         )
        >>> asyncio.run(main()).status
        'complete'
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        request_timeout: float = REQUEST_TIMEOUT,
        poll_interval: float | None = None,
        max_parallel: int = DEFAULT_MAX_PARALLEL,
        http_client: httpx.AsyncClient | None = None,
        allow_http: bool = False,
    ) -> None:
        seconds = checked_seconds("request_timeout", request_timeout)
        super().__init__(token, base_url=base_url, timeout=seconds, http_client=http_client, allow_http=allow_http)
        self._defaults = Defaults.checked(
            timeout=timeout, poll_interval=poll_interval, max_parallel=max_parallel, allow_http=allow_http
        )

    async def __aenter__(self) -> Self:
        # Loaded now: among many jobs that begin at once it would hold the event loop up for longer than all of them.
        from . import _async_backend as asynchronous  # noqa: F401
        from ._flows import generate  # noqa: F401

        return await super().__aenter__()

    @cached_property
    def v1(self) -> AsyncV1:
        """Everything under `v1`."""
        from .resources.tree import AsyncV1

        return AsyncV1(self)

    @cached_property
    def _backend(self) -> AsyncBackend:
        from ._async_backend import AsyncBackend

        return AsyncBackend(self._transport, self._defaults.max_parallel)

    def _begin(
        self,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> Call:
        """Start the time of one call."""
        return self._defaults.begin(self._backend, timeout, poll_interval, on_progress)

    async def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a call and give its result.

        What can be repeated is tried again if it fails in a way that may pass. What charges credits is sent once;
        if its outcome is not known, that is a `SubmissionUnknown`.
        """
        seconds = checked_seconds("timeout", timeout) or self._transport.settings.timeout
        return await send(self._begin(seconds), request, extra_headers)
