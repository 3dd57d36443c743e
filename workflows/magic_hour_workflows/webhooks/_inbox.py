"""An inbox: it receives webhook requests, and calls a program's handlers once for each event.

An event counts as received when its signature is proved and its handlers are started. Only then is the service told
so, at once and whatever the handlers do. It keeps nothing on disk: what its handlers have not finished when the process
is killed is gone, so a program that must not miss anything asks for its jobs again when it starts.

Rule: an event is either refused, and the service sends it again, or each of its handlers is called exactly once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from magic_hour_client._runtime.errors import Argument
from magic_hour_client.errors import InvalidArgument
from magic_hour_client.events import EVENTS

from .._webhook_errors import InboxUnavailable
from ._events import WebhookEvent, read_event
from ._gateways import serve_asgi, serve_wsgi
from ._handlers import Handler, Handlers, OnError
from ._memory import JOBS_REMEMBERED, Memory
from ._signatures import TOLERANCE, Headers, checked_body, checked_secrets, checked_tolerance, verify
from ._watches import Watch, Watches

if TYPE_CHECKING:
    from magic_hour_client.events import EventName

H = TypeVar("H", bound=Handler)
_MOST_RUNNING = 10_000
"""Handlers that may run or wait for a thread; beyond that, the service is asked to send events again later."""


def unwrap(body: bytes, headers: Headers, *secrets: str, tolerance: float = TOLERANCE) -> WebhookEvent:
    """The event in a webhook request, if the service sent it.

    It has no memory. The service sends an event more than once: recognize it by its `id` and `type`, or use an `Inbox`.

    Args:
        body: the raw bytes of the request, as they came.
        headers: the headers of the request: a mapping, or pairs of names and values.
        secrets: the secret of the webhook; several while one replaces another.
        tolerance: how many seconds ago the event may have been signed. Default: 300.

    Returns:
        The event. Types and fields that are not known yet are read too.

    Raises:
        InvalidArgument: an argument is invalid; for example, the body was parsed already.
        WebhookHeaderMissing: there is no signature.
        WebhookExpired: it was signed too long ago, or in the future.
        WebhookSignatureMismatch: the signature fits none of the secrets.
        WebhookUnreadable: it is signed, and not an event.

    Example:
        >>> from magic_hour_workflows.webhooks import sign, unwrap
        >>> body = b'{"type": "image.completed", "payload": {"id": "cuid-example", "status": "complete"}}'
        >>> event = unwrap(body, sign(body, "whsec_example"), "whsec_example")
        >>> event.type, event.id
        ('image.completed', 'cuid-example')
    """
    checked, known = checked_body(body), checked_secrets(secrets)
    return _unwrapped(checked, headers, known, checked_tolerance(tolerance), time.time())


def _unwrapped(body: bytes, headers: Headers, secrets: tuple[str, ...], tolerance: float, now: float) -> WebhookEvent:
    return read_event(body, verify(body, headers, secrets, tolerance, now))


class Inbox:
    """Receives events, and calls your handlers once for each.

    Use it as a context manager, or call `close`, to wait for handlers at the end. It may be used from several threads.

    Args:
        secrets: the secret of the webhook; several while one replaces another.
        tolerance: how many seconds ago an event may have been signed. Default: 300.
        on_error: called with the event and the exception when a handler has failed. It is logged in any case.
        remember: how many jobs to remember, to recognize events that arrive again. Default: 20,000.

    Raises:
        InvalidArgument: an argument is invalid.

    Example:
        >>> from magic_hour_workflows.webhooks import Inbox, sign
        >>> inbox = Inbox("whsec_example")
        >>> @inbox.on("image.completed")
        ... def save(event):
        ...     print(event.id)
        >>> body = b'{"type": "image.completed", "payload": {"id": "cuid-example", "status": "complete"}}'
        >>> with inbox:
        ...     first = inbox.receive(body, sign(body, "whsec_example"))
        ...     again = inbox.receive(body, sign(body, "whsec_example"))
        cuid-example
        >>> first.type, again
        ('image.completed', None)
    """

    def __init__(
        self,
        *secrets: str,
        tolerance: float = TOLERANCE,
        on_error: OnError | None = None,
        remember: int = JOBS_REMEMBERED,
    ) -> None:
        self._secrets = checked_secrets(secrets)
        self._tolerance = checked_tolerance(tolerance)
        if on_error is not None and not callable(on_error):
            raise InvalidArgument("expected a function of an event and an exception", field="on_error")
        self._memory = Memory(remember)
        self._patterns: tuple[tuple[str, Handler], ...] = ()
        self._handlers = Handlers(on_error)
        self._watches = Watches()
        self._closed = False
        self._lock = threading.RLock()  # a handler that starts at once may use the inbox
        self._clock: Callable[[], float] = time.time

    def on(self, *patterns: EventName | Literal["*", "*.completed"] | str) -> Callable[[H], H]:
        """Register a handler: a function, sync or async, that takes an event.

        Args:
            patterns: the types of events to call it for, such as `video.completed`. `*` stands for any text:
                `*.completed` is every completed job, `*` every event, also of types that are not known yet.

        Returns:
            A decorator, which leaves the handler as it is.

        Raises:
            InvalidArgument: there is no such type.

        Example:
            >>> inbox = Inbox("whsec_example")
            >>> @inbox.on("*.errored")
            ... async def report(event):
            ...     print(f"job {event.id} failed: {event.payload.error}")
        """
        if not patterns or callable(patterns[0]):
            raise InvalidArgument("no type of event", 'write for example @inbox.on("*.completed")', field="patterns")
        for pattern in patterns:
            _check_pattern(pattern)

        def register(handler: H) -> H:
            if not callable(handler):
                raise InvalidArgument("expected a function of an event", field="handler")
            with self._lock:
                self._patterns += tuple((pattern, handler) for pattern in patterns)
            return handler

        return register

    def receive(self, body: bytes, headers: Headers) -> WebhookEvent | None:
        """Receive one request: check it, and start the handlers of its event in the background.

        It does not wait for them, so it may be called in an event loop. For web frameworks that have no ASGI or WSGI.

        Args:
            body: the raw bytes of the request.
            headers: its headers: a mapping, or pairs of names and values.

        Returns:
            The event; None if it was received before, or was overtaken by the end of its job.

        Raises:
            InvalidArgument: an argument is invalid.
            WebhookRefused: it is not the service's, or cannot be read. Answer with the `status` of the error.
            InboxUnavailable: it is closed or busy. Answer with the `status`: the service sends the event again.
        """
        event = _unwrapped(checked_body(body), headers, self._secrets, self._tolerance, self._clock())
        with self._lock:
            if self._memory.is_old(event):
                return None
            if self._closed or self._handlers.running >= _MOST_RUNNING:
                why = "it is closed" if self._closed else "too many events wait for their handlers"
                raise InboxUnavailable(f"the inbox takes no more events: {why}")
            self._memory.add(event)
            matching = dict.fromkeys(each for pattern, each in self._patterns if fnmatchcase(event.type, pattern))
            for handler in matching:
                self._handlers.start(handler, event)
            self._watches.notify(event)
        return event

    @contextmanager
    def handling(self, handler: Handler, *patterns: str) -> Iterator[None]:
        """Call a handler for the events in the block only."""
        self.on(*patterns)(handler)
        try:
            yield
        finally:
            with self._lock:
                self._patterns = tuple(each for each in self._patterns if each[1] != handler)

    @contextmanager
    def watch(self, *, id: str | None = None, name: str | None = None) -> Iterator[Watch]:
        """Watch for the end of the job with an id, or for any event of the job with a name. Clients use it."""
        watch = Watch()
        with self._lock:
            self._watches.add(watch, id=id, name=name)
            if id is not None and self._memory.has_ended(id):
                watch.notify()
        try:
            yield watch
        finally:
            with self._lock:
                self._watches.remove(watch, id=id, name=name)

    async def asgi(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """An ASGI application that receives events by POST: mount it, or serve it by itself."""
        await serve_asgi(self, scope, receive, send)

    def wsgi(self, environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:
        """A WSGI application that receives events by POST."""
        return serve_wsgi(self, environ, start_response)

    def close(self) -> None:
        """Take no more events, and wait until all handlers have finished.

        Raises:
            RuntimeError: handlers run in the event loop of this thread; use `aclose` there.
        """
        with self._lock:
            self._closed = True
        self._handlers.wait()

    async def aclose(self) -> None:
        """The same for async code."""
        import anyio.to_thread

        await anyio.to_thread.run_sync(self.close, abandon_on_cancel=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _check_pattern(pattern: object) -> None:
    if not isinstance(pattern, str):
        raise InvalidArgument(f"expected a string, got {type(pattern).__name__}", field="patterns")
    if "*" in pattern or pattern in EVENTS:
        return
    import difflib

    near = difflib.get_close_matches(pattern, EVENTS, n=1)
    hint: tuple[object, ...] = ("did you mean ", Argument(near[0]), "? ") if near else ()
    raise InvalidArgument(
        f"{pattern[:60]!a} is not a type of event",
        (*hint, "a pattern with `*` may match types that are not known yet"),
        field="patterns",
    )
