"""What is known about one request while it is sent: whether a byte of it went out, and what was answered.

Rule: a `SendTrace` is made before its request and filled on the way. Whatever ends the call, an interruption at any
line included, is judged by what stands here, never by what the exception happens to carry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .endpoints import Request
from .errors import connection_error, without_request


class SendTrace:
    """One request on its way. httpcore calls `on_event` or `aon_event` at each step ("trace" extension)."""

    def __init__(self) -> None:
        self.before_sending: Callable[[], Any] | None = None
        """Run directly before the first byte of the request, after pool, name service, TCP and TLS; awaited where
        calls are. What it raises is passed on unchanged, and nothing is sent."""
        self.on_sent: Callable[[], None] = lambda: None
        """Called when it is no longer certain that nothing was sent."""
        self.proxy: Callable[[], str | None] = lambda: None
        """Which proxy the request goes through, host and port."""
        self.traced: bool = False
        """Whether the connection calls back at each step."""
        self.handed: bool = False
        """Whether a transport has the request. Until then nothing can have gone out; from then on anything may have,
        unless the transport calls back."""
        self.started: bool = False
        """Whether the first byte of the request went out, or is about to."""
        self.refusal: BaseException | None = None
        """What `before_sending` raised."""
        self.result: Any = None
        """What the response was parsed as."""
        self._opened: Any = None

    @property
    def unsent(self) -> bool:
        """Whether it is certain that not a byte of the request went out."""
        return not self.started and (self.traced or not self.handed or self.refusal is not None)

    def hand_over(self) -> None:
        """A transport gets the request."""
        self.handed = True
        if not self.traced:
            self.on_sent()

    def on_event(self, event: str, info: Mapping[str, Any]) -> None:
        if _is_first_byte(event, info):
            self.run_hook()
            self._start()
        self.traced = True

    async def aon_event(self, event: str, info: Mapping[str, Any]) -> None:
        if _is_first_byte(event, info):
            await self.arun_hook()
            self._start()
        self.traced = True
        if event == "connection.connect_tcp.complete":
            self._opened = info.get("return_value")
        elif event.endswith("start_tls.failed"):
            await self._drop()

    def _start(self) -> None:
        self.started = True
        self.on_sent()

    async def _drop(self) -> None:
        """Close what was opened: httpcore leaves it open if a cancellation comes during the handshake."""
        import anyio

        if self._opened is not None:
            with anyio.CancelScope(shield=True):
                await self._opened.aclose()

    def run_hook(self) -> None:
        """Run `before_sending`, which may refuse."""
        if self.before_sending is not None:
            try:
                self.before_sending()
            except BaseException as error:
                self.refusal = error
                raise

    async def arun_hook(self) -> None:
        """The same, awaited."""
        if self.before_sending is not None:
            try:
                await self.before_sending()
            except BaseException as error:
                self.refusal = error
                raise

    def typed_error(self, request: Request[Any], error: Exception) -> Exception:
        """The typed error for `error`; a request of which nothing was written is known not to have been sent."""
        started = self.started or (not self.unsent and _raised_by_hook(error))
        known = {"unsent": self.unsent, "started": started}
        typed = connection_error(request.name, error, **known, proxy=self.proxy())
        typed.__cause__ = without_request(error)
        return typed


def _raised_by_hook(error: Exception) -> bool:
    """Whether a hook of the caller's client raised it, which runs before and after the transport in httpx's loop.

    A transport that does not call back is believed when it reports that it could not connect; a hook may have failed in
    a request of its own.
    """
    from traceback import walk_tb

    names = {frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__)}
    return "_send_handling_redirects" in names and "_send_single_request" not in names


def _is_first_byte(event: str, info: Mapping[str, Any]) -> bool:
    """Whether the request itself is about to be written, and not the CONNECT that asks a proxy for a tunnel."""
    return event.endswith("send_request_headers.started") and getattr(info.get("request"), "method", b"") != b"CONNECT"
