"""`Client` and `AsyncClient`: the low-level clients with `generate`, `wait` and `download` on top.

Rule: no decision here. A client checks its settings, gives a runner to its resources, and closes what it opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self, TypeVar

import magic_hour_client.client as low_level
from magic_hour_client._runtime.settings import DEFAULT_TIMEOUT as REQUEST_TIMEOUT
from magic_hour_client._runtime.settings import checked_seconds
from magic_hour_client.types import Request

from ._settings import DEFAULT_MAX_PARALLEL, DEFAULT_TIMEOUT, Defaults, checked_job_log
from .runner import AsyncRunner, Runner

if TYPE_CHECKING:
    import os

    import httpx

    from magic_hour_client._runtime.transport import AsyncTransport, SyncTransport
    from magic_hour_resources.v1 import V1, AsyncV1

    from ._backend import Backend
    from .webhooks import Inbox

T = TypeVar("T")


class Client(low_level.Client):
    """A sync client of the service. Use it as a context manager, or call `close`.

    Args:
        token: the API key; the variable `MAGIC_HOUR_API_KEY` if not given.
        base_url: the address of the service; the variable `MAGIC_HOUR_BASE_URL` or the live service if not given.
        timeout: seconds a whole `generate`, `wait` or `download` may take.
        request_timeout: seconds a single low-level call may take, retries included.
        poll_interval: seconds between two polls of a job; the variable `MAGIC_HOUR_POLL_INTERVAL`, or growing from 1
            to 30 seconds if not given.
        max_parallel: how many files of one job are transferred at the same time.
        http_client: your own HTTP client, used for every request and never closed.
        allow_http: allow plain `http://` to machines other than this one.
        job_log: the file in which each submission is recorded before it is sent, so that no job is lost with the
            program; True for the file that `magic-hour jobs` reads, False for none. The variable
            `MAGIC_HOUR_JOB_LOG`, or no file, if not given.
        max_credits: the most credits that all who use the same job log may spend at this address; without a log, the
            most that this client may spend. What may cost more is refused before anything is uploaded.
        assume_credits: the credits to count for a call whose price is unknown; otherwise `max_credits` refuses it.
        check_balance: ask for the balance of the account before each submission, and again if it gets no answer, so
            that `SubmissionUnknown` says whether the job was probably charged. One more request before each job.
        inbox: the `Inbox` that receives the webhook events of the account, in this process. Jobs are then waited for by
            their events, with a few polls for safety, and an event settles a submission that got no answer.

    Raises:
        InvalidArgument: there is no key, or a value is invalid.

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
        job_log: str | os.PathLike[str] | bool | None = None,
        max_credits: float | None = None,
        assume_credits: float | None = None,
        check_balance: bool = False,
        inbox: Inbox | None = None,
    ) -> None:
        seconds = checked_seconds("request_timeout", request_timeout)
        super().__init__(
            token, base_url=base_url, request_timeout=seconds, http_client=http_client, allow_http=allow_http
        )
        defaults = Defaults.checked(
            timeout=timeout,
            poll_interval=poll_interval,
            max_parallel=max_parallel,
            allow_http=allow_http,
            check_balance=check_balance,
            inbox=inbox,
        )
        log = checked_job_log(job_log, self.base_url, max_credits, assume_credits)
        make_backend = partial(_sync_backend, self._transport, defaults.max_parallel)
        self.runner: Runner = Runner(make_backend, defaults, seconds, log)
        """Runs the calls of this client; for tools built on top of it."""

    @cached_property
    def v1(self) -> V1:
        """The resources under `v1`."""
        from magic_hour_resources.v1 import V1

        return V1(self.runner)

    def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a request and return its result.

        Requests that cost nothing are retried after temporary failures. A request that charges credits is sent again
        only if it certainly was not accepted; if that is unknown, the call raises `SubmissionUnknown`.
        """
        return self.runner.send(request, timeout=timeout, extra_headers=extra_headers)


class AsyncClient(low_level.AsyncClient):
    """An async client of the service, for asyncio and trio. Use it as an async context manager, or call `close`.

    Args:
        token: the API key; the variable `MAGIC_HOUR_API_KEY` if not given.
        base_url: the address of the service; the variable `MAGIC_HOUR_BASE_URL` or the live service if not given.
        timeout: seconds a whole `generate`, `wait` or `download` may take.
        request_timeout: seconds a single low-level call may take, retries included.
        poll_interval: seconds between two polls of a job; the variable `MAGIC_HOUR_POLL_INTERVAL`, or growing from 1
            to 30 seconds if not given.
        max_parallel: how many files of one job are transferred at the same time.
        http_client: your own HTTP client, used for every request and never closed.
        allow_http: allow plain `http://` to machines other than this one.
        job_log: the file in which each submission is recorded before it is sent, so that no job is lost with the
            program; True for the file that `magic-hour jobs` reads, False for none. The variable
            `MAGIC_HOUR_JOB_LOG`, or no file, if not given.
        max_credits: the most credits that all who use the same job log may spend at this address; without a log, the
            most that this client may spend. What may cost more is refused before anything is uploaded.
        assume_credits: the credits to count for a call whose price is unknown; otherwise `max_credits` refuses it.
        check_balance: ask for the balance of the account before each submission, and again if it gets no answer, so
            that `SubmissionUnknown` says whether the job was probably charged. One more request before each job.
        inbox: the `Inbox` that receives the webhook events of the account, in this process. Jobs are then waited for by
            their events, with a few polls for safety, and an event settles a submission that got no answer.

    Raises:
        InvalidArgument: there is no key, or a value is invalid.

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
        job_log: str | os.PathLike[str] | bool | None = None,
        max_credits: float | None = None,
        assume_credits: float | None = None,
        check_balance: bool = False,
        inbox: Inbox | None = None,
    ) -> None:
        seconds = checked_seconds("request_timeout", request_timeout)
        super().__init__(
            token, base_url=base_url, request_timeout=seconds, http_client=http_client, allow_http=allow_http
        )
        defaults = Defaults.checked(
            timeout=timeout,
            poll_interval=poll_interval,
            max_parallel=max_parallel,
            allow_http=allow_http,
            check_balance=check_balance,
            inbox=inbox,
        )
        log = checked_job_log(job_log, self.base_url, max_credits, assume_credits)
        make_backend = partial(_async_backend, self._transport, defaults.max_parallel)
        self.runner: AsyncRunner = AsyncRunner(make_backend, defaults, seconds, log)
        """Runs the calls of this client; for tools built on top of it."""

    async def __aenter__(self) -> Self:
        # Loaded now: later, it would block the event loop while many jobs start at once.
        from . import _async_backend  # noqa: F401
        from ._flows import generate  # noqa: F401

        return await super().__aenter__()

    @cached_property
    def v1(self) -> AsyncV1:
        """The resources under `v1`."""
        from magic_hour_resources.v1 import AsyncV1

        return AsyncV1(self.runner)

    async def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a request and return its result.

        Requests that cost nothing are retried after temporary failures. A request that charges credits is sent again
        only if it certainly was not accepted; if that is unknown, the call raises `SubmissionUnknown`.
        """
        return await self.runner.send(request, timeout=timeout, extra_headers=extra_headers)


def _sync_backend(transport: SyncTransport, max_parallel: int) -> Backend:
    from ._sync_backend import SyncBackend

    return SyncBackend(transport, max_parallel)


def _async_backend(transport: AsyncTransport, max_parallel: int) -> Backend:
    from ._async_backend import AsyncBackend

    return AsyncBackend(transport, max_parallel)
