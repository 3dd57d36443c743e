"""Sending one request and reading its response, sync and async.

Rule: a request is sent exactly once, and nothing is decided here: no retries, no redirects. The API key goes to the
API's own origin and nowhere else, and is removed from every response, whose words end up in messages and logs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from . import bodies
from .endpoints import Request, checked_headers, encoded, unreadable
from .errors import BaseError, InvalidArgument, UnexpectedResponse
from .redaction import redacting
from .schema import Unreadable
from .send_trace import SendTrace
from .settings import Settings, checked_http_client
from .types import Response

if TYPE_CHECKING:
    import httpx

    from .http_clients import TracedRequest

T = TypeVar("T")

SHIELD_SECONDS = 10
"""How long a cancelled call that charges credits may still wait for its answer."""
_GRACE = 0.1
"""Seconds between the limit of each step and the limit of a whole call."""


class BaseTransport:
    """What sync and async sending share: from a request to one of httpx, and from a response of httpx to ours."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.closed = False
        self._redacted = redacting(settings.token)

    def outgoing(
        self, request: Request[Any], on_event: Any, extra_headers: Mapping[str, str] | None = None
    ) -> TracedRequest:
        """The request as httpx sends it."""
        import httpx

        from .http_clients import TracedRequest

        content = encoded(request)
        headers = {
            "accept": "application/json",
            "user-agent": self.settings.user_agent,
            **request.headers,
            **checked_headers(extra_headers),
            "accept-encoding": "identity",
            "authorization": f"Bearer {self.settings.token}",
        }
        if content is not None:
            headers["content-type"] = "application/json"
        extensions = {"trace": on_event} if request.endpoint.charges_credits else None
        try:
            return TracedRequest(
                request.endpoint.method,
                self.settings.base_url + request.path,
                params=list(request.query) or None,
                headers=headers,
                content=content,
                extensions=extensions,
            )
        except httpx.InvalidURL:
            message = f"{request.name}: its parameters make a URL that is too long"
            raise InvalidArgument(message) from None

    def client_options(self, *, fresh: bool, secure: bool) -> dict[str, Any]:
        """How to make an HTTP client."""
        from .http_clients import client_options

        self.check_environment()  # it may have changed
        return client_options(self.settings.request_timeout, fresh=fresh, secure=secure)

    def check_environment(self) -> None:
        """Refuse an environment with which no connection could be made."""
        from .http_clients import check_environment

        check_environment(secure=self.settings.base_url.lower().startswith("https:"))

    def check_open(self) -> None:
        if self.closed:
            raise InvalidArgument("this client is closed", "create a new one, or keep this one open longer")

    def response(self, request: Request[Any], received: httpx.Response, body: bytes | None) -> Response:
        """The response, unpacked and without the key; `body` is what `bodies` read of it."""
        headers = {name.lower(): value for name, value in received.headers.items()}
        try:
            content = received.content if body is None else bodies.unpacked(body, headers.get("content-encoding", ""))
        except Unreadable as error:
            if received.is_success:
                raise unreadable(request.name, received.status_code, str(error)) from None
            content = b""  # a refusal is one by its status
        if len(content) > bodies.MAX_ANSWER_BYTES:
            what = f"it is larger than {bodies.MAX_ANSWER_BYTES} bytes"
            raise unreadable(request.name, received.status_code, what)
        return Response(received.status_code, headers, self._redacted(content, received.is_success))


class SyncTransport(BaseTransport):
    """Sends calls and waits for the answers."""

    def __init__(self, settings: Settings, http_client: httpx.Client | None = None) -> None:
        super().__init__(settings)
        from .log_filter import redact_logs_of

        redact_logs_of(SyncTransport.send)
        self._given: httpx.Client | None = checked_http_client(http_client, "Client")
        if http_client is None:
            self.check_environment()
        self._clients: dict[tuple[int, bool, bool, bool], httpx.Client] = {}
        self._making: dict[int, Lock] = {}

    def client(self, *, fresh: bool = False, secure: bool = True, storage: bool = False) -> httpx.Client:
        """The HTTP client; `fresh` for one that opens a connection of its own for every request, `secure` for https.

        A kept connection may have been closed by the other side without our knowing, and a request sent into it is
        one whose outcome is unknown. So calls that charge credits never use one, unless the caller brought their
        own client. Loading the certificates takes longer than everything else here, so plain http does without.
        Files go through a pool of their own, `storage`: with every request a pool goes through all of its connections.
        """
        from .deadline import enforce

        self.check_open()
        if self._given is not None:
            return enforce(self._given)
        # A connection shared by a process and its fork would mix their answers up.
        key = (os.getpid(), fresh, secure, storage)
        if key not in self._clients:
            import httpx

            # Files go several at a time, and their threads come here at once. One lock for each process, because a fork
            # could take over one that is held.
            with self._making.setdefault(os.getpid(), Lock()):
                if key not in self._clients:
                    self._clients[key] = enforce(httpx.Client(**self.client_options(fresh=fresh, secure=secure)))
        return self._clients[key]

    def send(
        self,
        request: Request[T],
        *,
        timeout: float | None,
        extra_headers: Mapping[str, str] | None = None,
        before_sending: Callable[[], object] | None = None,
        trace: SendTrace | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> T:
        """Send the request once and return its result.

        Args:
            request: the request.
            timeout: seconds the whole of it may take.
            extra_headers: the caller's own headers.
            before_sending: run directly before the first byte goes out; what it raises is passed on unchanged, and
                nothing is sent. It may be run more than once. For calls that charge credits.
            trace: filled while the request is sent.
            stopped: called regularly; once it returns True, the call ends as if time had run out.
        """
        from .deadline import timeouts
        from .http_clients import attach

        trace = trace or SendTrace()
        trace.before_sending = before_sending
        charges = request.endpoint.charges_credits
        with _translated(request, trace, self._given):
            outgoing = self.outgoing(request, trace.on_event, extra_headers)
            client = self.client(fresh=charges, secure=outgoing.url.scheme == "https")
            attach(trace, client, outgoing, charges=charges)
            deadline = None if timeout is None else time.monotonic() + timeout
            outgoing.extensions["timeout"] = timeouts(timeout, deadline, stopped)
            trace.run_hook()
            received = client.send(outgoing, stream=True, follow_redirects=False, auth=None)
            try:
                response = self.response(request, received, bodies.read(received))
            finally:
                received.close()
        trace.result = result = request.endpoint.parse(response)
        return result

    def close(self) -> None:
        """Close the connections; a client the caller brought stays open."""
        self.closed = True
        for (process, *_), client in self._clients.items():
            if process == os.getpid():
                client.close()
        self._clients.clear()


class AsyncTransport(BaseTransport):
    """Sends calls without blocking the event loop."""

    def __init__(self, settings: Settings, http_client: httpx.AsyncClient | None = None) -> None:
        super().__init__(settings)
        from .log_filter import redact_logs_of

        redact_logs_of(AsyncTransport._send)
        self._given: httpx.AsyncClient | None = checked_http_client(http_client, "AsyncClient")
        if http_client is None:
            self.check_environment()
        self._clients: dict[tuple[bool, bool, bool], httpx.AsyncClient] = {}
        self._loop: object = None

    def client(self, *, fresh: bool = False, secure: bool = True, storage: bool = False) -> httpx.AsyncClient:
        """The HTTP client; `fresh` for one that opens a connection of its own for every request, `secure` for https.

        Files go through a pool of their own, `storage`.
        """
        self.check_open()
        self.check_loop()
        if self._given is not None:
            return self._given
        key = (fresh, secure, storage)
        if key not in self._clients:
            import httpx

            self._clients[key] = httpx.AsyncClient(**self.client_options(fresh=fresh, secure=secure))
        return self._clients[key]

    def check_loop(self) -> None:
        """Connections belong to the event loop they were opened in, so a client serves one loop only."""
        from anyio.lowlevel import current_token

        loop = current_token()
        if self._loop not in (None, loop):
            raise InvalidArgument("this client belongs to another event loop", "make one within each `asyncio.run`")
        self._loop = loop

    async def send(
        self,
        request: Request[T],
        *,
        timeout: float | None,
        extra_headers: Mapping[str, str] | None = None,
        before_sending: Callable[[], Awaitable[object]] | None = None,
        trace: SendTrace | None = None,
    ) -> T:
        """Send the request once and return its result, as `SyncTransport.send` does; `before_sending` is awaited.

        A call that charges credits is not torn down by a cancellation once its first byte is out: it may wait for its
        answer up to 10 seconds more, and the cancellation then carries the result as its attribute `result`. A
        cancellation before that has a true `unsent`.
        """
        trace = trace or SendTrace()
        trace.before_sending = before_sending
        if not request.endpoint.charges_credits:
            return await self._send(request, timeout, extra_headers, trace)
        from .shield import shielded

        def work(hold: Callable[[], None]) -> Awaitable[T]:
            trace.on_sent = hold
            return self._send(request, timeout, extra_headers, trace)

        return await shielded(work, SHIELD_SECONDS)

    async def _send(
        self, request: Request[T], timeout: float | None, extra_headers: Mapping[str, str] | None, trace: SendTrace
    ) -> T:
        import anyio
        import httpx

        from .http_clients import attach

        # Where one step takes all the time, httpx's own limit of that step comes first: it closes what it has opened.
        bound = None if timeout is None else timeout + _GRACE
        charges = request.endpoint.charges_credits
        with _translated(request, trace, self._given):
            outgoing = self.outgoing(request, trace.aon_event, extra_headers)
            client = self.client(fresh=charges, secure=outgoing.url.scheme == "https")
            attach(trace, client, outgoing, charges=charges)
            outgoing.extensions["timeout"] = httpx.Timeout(timeout).as_dict()
            with anyio.fail_after(bound):
                await trace.arun_hook()
                received = await client.send(outgoing, stream=True, follow_redirects=False, auth=None)
                try:
                    response = self.response(request, received, await bodies.aread(received))
                finally:
                    await bodies.close(received)
        trace.result = result = request.endpoint.parse(response)
        return result

    async def close(self) -> None:
        """Close the connections; a client the caller brought stays open."""
        self.closed = True
        if self._clients:
            self.check_loop()
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


@contextmanager
def _translated(request: Request[Any], trace: SendTrace, given: object) -> Iterator[None]:
    """Around a call: what it raises is typed, as far as it is not a bug in something that was called."""
    import httpx

    try:
        yield
    except BaseError as error:
        ours = trace.unsent or isinstance(error, UnexpectedResponse) or not request.endpoint.charges_credits
        if ours:
            raise
        raise trace.typed_error(request, error) from error  # of a hook's own request: it says nothing about this one
    except Exception as error:
        if error is trace.refusal:
            raise
        if isinstance(error, (httpx.HTTPError, httpx.InvalidURL, OSError)):
            raise trace.typed_error(request, error) from error
        if not trace.unsent:
            raise
        if given is None:
            raise trace.typed_error(request, error) from error
        raise InvalidArgument(
            f"it raised {type(error).__name__} before anything was sent", "fix it, then call again", field="http_client"
        ) from error
