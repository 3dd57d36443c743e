"""Sending one call and reading its answer, blocking or not.

Rule: a call is sent exactly once, and nothing is decided here: no retries, no redirects. The API key goes to the
API's own origin and nowhere else, and is blanked out of every answer, whose words end up in messages and logs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from . import bodies
from .redaction import blanking
from .endpoints import checked_headers, encoded, unreadable
from .errors import BaseError, InvalidArgument, UnexpectedResponse
from .schema import Unreadable
from .send_trace import Wire
from .settings import Settings, checked_http_client
from .types import Operation, Reply

if TYPE_CHECKING:
    import httpx

    from .outgoing import Request

T = TypeVar("T")

SHIELD_SECONDS = 10
"""How long a cancelled call that charges credits may still wait for its answer."""
_GRACE = 0.1
"""Seconds between the limit of each step and the limit of a whole call."""


class Requests:
    """Makes requests of calls: the part that blocking and non-blocking sending share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.closed = False
        self._blanked = blanking(settings.token)

    def request(
        self,
        operation: Operation[Any],
        trace: Any,
        extra_headers: Mapping[str, str] | None = None,
    ) -> Request:
        """The request of a call.

        Raises:
            InvalidArgument: it cannot be sent.
        """
        import httpx

        from .outgoing import Request

        content = encoded(operation)
        headers = {
            "accept": "application/json",
            "user-agent": self.settings.user_agent,
            **operation.headers,
            **checked_headers(extra_headers),
            "accept-encoding": "identity",
            "authorization": f"Bearer {self.settings.token}",
        }
        if content is not None:
            headers["content-type"] = "application/json"
        extensions = {"trace": trace} if operation.endpoint.charges_credits else None
        try:
            return Request(
                operation.endpoint.method,
                self.settings.base_url + operation.path,
                params=list(operation.query) or None,
                headers=headers,
                content=content,
                extensions=extensions,
            )
        except httpx.InvalidURL:
            message = f"{operation.name}: its parameters make an address that is too long"
            raise InvalidArgument(message) from None

    def check_environment(self) -> None:
        """Refuse what the environment says of connections, if none could be made with it."""
        from .http_clients import check

        check(secure=self.settings.base_url.lower().startswith("https:"))

    def check_open(self) -> None:
        if self.closed:
            raise InvalidArgument("this client is closed", "make a new one, or keep it open for longer")

    def reply(self, operation: Operation[Any], response: httpx.Response, body: bytes | None) -> Reply:
        """The answer, unpacked and without the key; `body` is what `bodies` read of it."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            content = response.content if body is None else bodies.unpacked(body, headers.get("content-encoding", ""))
        except Unreadable as error:
            if response.is_success:
                raise unreadable(operation.name, response.status_code, str(error)) from None
            content = b""  # a refusal is one by its status
        if len(content) > bodies.MAX_ANSWER_BYTES:
            what = f"it is larger than {bodies.MAX_ANSWER_BYTES} bytes"
            raise unreadable(operation.name, response.status_code, what)
        return Reply(response.status_code, headers, self._blanked(content, response.is_success))


class BlockingTransport(Requests):
    """Sends calls and waits for the answers."""

    def __init__(self, settings: Settings, http_client: httpx.Client | None = None) -> None:
        super().__init__(settings)
        from .log_filter import discreet

        discreet(BlockingTransport.send)
        self._given: httpx.Client | None = checked_http_client(http_client, "Client")
        if http_client is None:
            self.check_environment()
        self._clients: dict[tuple[int, bool, bool, bool], httpx.Client] = {}
        self._making: dict[int, Lock] = {}

    def client(self, *, fresh: bool = False, secure: bool = True, storage: bool = False) -> httpx.Client:
        """The HTTP client; `fresh` for one that opens a connection of its own for every request, `secure` for https.

        A kept connection may have been closed by the other side without our knowing, and a request sent into it is
        one whose outcome nobody knows. So calls that charge credits never use one, unless the caller brought their
        own client. Loading the certificates takes longer than everything else here, so plain http does without.
        Files go through a pool of their own, `storage`: with every request a pool looks at all of its connections.
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
                    self.check_environment()  # it may have changed
                    self._clients[key] = enforce(httpx.Client(**self.settings.client_options(fresh, secure)))
        return self._clients[key]

    def send(
        self,
        operation: Operation[T],
        *,
        timeout: float | None,
        extra_headers: Mapping[str, str] | None = None,
        before_sending: Callable[[], object] | None = None,
        wire: Wire | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> T:
        """Send the call once and give its result.

        Args:
            operation: the call.
            timeout: seconds the whole of it may take.
            extra_headers: headers of the caller's own.
            before_sending: run directly before the first byte goes out; what it raises leaves here as it is, and
                nothing is sent. It may be run more than once. For calls that charge credits.
            wire: where to note what becomes of the request.
            stopped: asked now and then; once it answers True the call ends as if time had run out.
        """
        from .deadline import timeouts
        from .outgoing import made

        wire = wire or Wire()
        wire.before_sending = before_sending
        charges = operation.endpoint.charges_credits
        with _translated(operation, wire, self._given):
            request = self.request(operation, wire.trace, extra_headers)
            client = self.client(fresh=charges, secure=request.url.scheme == "https")
            made(wire, client, request, charges=charges)
            deadline = None if timeout is None else time.monotonic() + timeout
            request.extensions["timeout"] = timeouts(timeout, deadline, stopped)
            wire.ask()
            response = client.send(request, stream=True, follow_redirects=False, auth=None)
            try:
                reply = self.reply(operation, response, bodies.read(response))
            finally:
                response.close()
        wire.result = operation.parse(reply)
        result: T = wire.result
        return result

    def close(self) -> None:
        """Close the connections; a client the caller brought stays open."""
        self.closed = True
        for (process, *_), client in self._clients.items():
            if process == os.getpid():
                client.close()
        self._clients.clear()


class AsyncTransport(Requests):
    """Sends calls without blocking the event loop."""

    def __init__(self, settings: Settings, http_client: httpx.AsyncClient | None = None) -> None:
        super().__init__(settings)
        from .log_filter import discreet

        discreet(AsyncTransport._send)
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

            self.check_environment()  # it may have changed
            self._clients[key] = httpx.AsyncClient(**self.settings.client_options(fresh, secure))
        return self._clients[key]

    def check_loop(self) -> None:
        """Connections belong to the event loop they were opened in, so a client serves one loop only.

        Raises:
            InvalidArgument: this is another one than at first.
        """
        from anyio.lowlevel import current_token

        loop = current_token()
        if self._loop not in (None, loop):
            raise InvalidArgument("this client belongs to another event loop", "make one within each `asyncio.run`")
        self._loop = loop

    async def send(
        self,
        operation: Operation[T],
        *,
        timeout: float | None,
        extra_headers: Mapping[str, str] | None = None,
        before_sending: Callable[[], Awaitable[object]] | None = None,
        wire: Wire | None = None,
    ) -> T:
        """Send the call once and give its result.

        A call that charges credits is not torn down by a cancellation once its first byte is out: it may wait for its
        answer up to 10 seconds more, and the cancellation then carries the result as its attribute `reply`. A
        cancellation before that has a true `unsent`.

        Args:
            operation: the call.
            timeout: seconds the whole of it may take.
            extra_headers: headers of the caller's own.
            before_sending: awaited directly before the first byte goes out; what it raises leaves here as it is, and
                nothing is sent. It may be run more than once. For calls that charge credits.
            wire: where to note what becomes of the request.
        """
        wire = wire or Wire()
        wire.before_sending = before_sending
        if not operation.endpoint.charges_credits:
            return await self._send(operation, timeout, extra_headers, wire)
        from .shield import shielded

        def work(hold: Callable[[], None]) -> Awaitable[T]:
            wire.on_sent = hold
            return self._send(operation, timeout, extra_headers, wire)

        return await shielded(work, SHIELD_SECONDS)

    async def _send(
        self, operation: Operation[T], timeout: float | None, extra_headers: Mapping[str, str] | None, wire: Wire
    ) -> T:
        import anyio
        import httpx

        from .outgoing import made

        # Where one step takes all the time, httpx's own limit of that step comes first: it closes what it has opened.
        bound = None if timeout is None else timeout + _GRACE
        charges = operation.endpoint.charges_credits
        with _translated(operation, wire, self._given):
            request = self.request(operation, wire.atrace, extra_headers)
            client = self.client(fresh=charges, secure=request.url.scheme == "https")
            made(wire, client, request, charges=charges)
            request.extensions["timeout"] = httpx.Timeout(timeout).as_dict()
            with anyio.fail_after(bound):
                await wire.aask()
                response = await client.send(request, stream=True, follow_redirects=False, auth=None)
                try:
                    reply = self.reply(operation, response, await bodies.aread(response))
                finally:
                    await bodies.close(response)
        wire.result = operation.parse(reply)
        result: T = wire.result
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
def _translated(operation: Operation[Any], wire: Wire, given: object) -> Iterator[None]:
    """Around a call: what it raises is typed, as far as it is not a bug in something that was called."""
    import httpx

    try:
        yield
    except BaseError as error:
        ours = wire.unsent or isinstance(error, UnexpectedResponse) or not operation.endpoint.charges_credits
        if ours:
            raise
        raise wire.raised(operation, error) from error  # of a hook's own errand: it says nothing about this request
    except Exception as error:
        if error is wire.refusal:
            raise
        if isinstance(error, (httpx.HTTPError, httpx.InvalidURL, OSError)):
            raise wire.raised(operation, error) from error
        if not wire.unsent:
            raise
        if given is None:
            raise wire.raised(operation, error) from error
        raise InvalidArgument(
            f"it raised {type(error).__name__} before anything was sent", "fix it, then call again", field="http_client"
        ) from error
