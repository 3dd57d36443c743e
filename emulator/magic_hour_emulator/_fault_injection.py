"""Where faults meet requests: around each application, between the recorder and the socket.

Rule: in phase `before` the application does not see the request; in phase `after` it carries the request out, and only
its response is changed. Network faults are the protocol's (`_faulty_protocol`).
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._fault_changes import CHANGING, HEAD_CHANGES, changed, changed_request
from ._fault_responses import Circumstances, Response, replacement
from ._fault_schedule import Find, Hit
from ._faulty_protocol import Ending, FaultyProtocol, Script
from ._request_checks import MAX_BODY_BYTES
from ._service import Service
from .faults import Fault

__all__ = ["with_faults"]


def with_faults(app: ASGIApp, service: Service, find: Find, *, storage: bool) -> ASGIApp:
    """`app` with the faults of the service's schedule. `find` says what a request is."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        target = find(scope) if service.faults.armed and scope["type"] == "http" else None
        hit = service.faults.strike(target) if target else None
        if hit is None:
            return await app(scope, receive, send)
        service.recorder.note(scope, hit.fault.kind)
        exchange = _Exchange(app, service, scope, receive, send, storage, hit)
        await _EFFECTS.get(hit.fault.kind, _respond)(exchange)

    return faulty


@dataclass(frozen=True)
class _Exchange:
    """One request that is hit by a fault."""

    app: ASGIApp
    service: Service
    scope: Scope
    receive: Receive
    send: Send
    storage: bool
    hit: Hit

    @property
    def fault(self) -> Fault:
        return self.hit.fault

    @property
    def before(self) -> bool:
        return self.hit.fault.phase == "before"

    @property
    def protocol(self) -> FaultyProtocol:
        return cast(FaultyProtocol, self.scope["state"]["protocol"])

    async def pass_on(self, on_start: Callable[[Message], Awaitable[None]], receive: Receive | None = None) -> None:
        """Let the application respond; `on_start` is called when its response begins."""

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await on_start(message)
            await self.send(message)

        await self.app(self.scope, receive or self.receive, send)
        self.protocol.finish()

    async def collect(self, headers: list[tuple[bytes, bytes]] | None = None) -> Response:
        """The application's whole response, of which nothing has been sent yet."""
        start: Message = {}
        body = bytearray()

        async def send(message: Message) -> None:
            start.update(message if message["type"] == "http.response.start" else {})
            body.extend(message.get("body", b""))

        scope = self.scope if headers is None else {**self.scope, "headers": headers}
        await self.app(scope, self.receive, send)
        pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Response(start["status"], tuple(pairs), bytes(body))

    async def respond(self, response: Response) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        await self.send({"type": "http.response.start", "status": response.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": response.body})

    async def read(self, limit: float = math.inf) -> None:
        """Read the request's body, or at least `limit` bytes of it."""
        count, more = 0, True
        while more and count < limit:
            message = await self.receive()
            count += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)

    async def read_ahead(self) -> Receive:
        """Read the request's body now, so that the application can receive it later; no more than it would accept."""
        messages: list[Message] = []
        count, more = 0, True
        while more and count <= MAX_BODY_BYTES:
            messages.append(message := await self.receive())
            count += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        messages.reverse()

        async def receive() -> Message:
            return messages.pop() if messages else await self.receive()

        return receive

    async def pause(self, seconds: float) -> None:
        """Wait on the machine's clock, not the emulator's, or until the faults are cleared."""
        pause = _Pause()
        self.service.faults.hold(self.hit, pause)
        with suppress(TimeoutError):
            await asyncio.wait_for(pause.over.wait(), seconds)


class _Pause:
    """A request that is delayed."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def release(self) -> None:
        """Continue. From any thread, at any time."""
        with suppress(RuntimeError):  # the loop has ended, and the request with it
            self._loop.call_soon_threadsafe(self.over.set)


# --- responses


async def _respond(exchange: _Exchange) -> None:
    """A response that replaces the service's, or the service's own with the fault in it."""
    if exchange.before:
        await exchange.read()
        exchange.hit.happened()
        return await exchange.respond(_replacement(exchange))
    response = await exchange.collect(_changed_headers(exchange))
    wrong = changed(exchange.fault, response) if exchange.fault.kind in CHANGING else _replacement(exchange)
    if wrong is not None:
        exchange.hit.happened()
    await exchange.respond(wrong or response)


def _replacement(exchange: _Exchange) -> Response:
    clock = exchange.service.clock
    next_second = math.ceil((1 - clock.now() % 1) / clock.speed)
    about = Circumstances(exchange.storage, time.time(), next_second, _location(exchange))
    return replacement(exchange.fault, about)


def _location(exchange: _Exchange) -> str:
    """The target of a redirect: the same path, on the same origin or on another one."""
    if exchange.fault.kind != "redirect":
        return ""
    scope, service = exchange.scope, exchange.service
    own = service.storage_url if exchange.storage else service.url
    query = scope["query_string"].decode("latin-1")
    path: str = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return (own if exchange.fault["to"] == "same" else service.mirror_url) + path


def _changed_headers(exchange: _Exchange) -> list[tuple[bytes, bytes]]:
    given = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in exchange.scope["headers"])
    headers = changed_request(exchange.fault, given)
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


# --- sockets


def _ending(what: Ending) -> "_Effect":
    """The connection ends, or goes silent, before the response or within it."""

    async def effect(exchange: _Exchange) -> None:
        protocol, parameters = exchange.protocol, exchange.fault.parameters
        if what == "stall":
            protocol.released = False
            exchange.service.faults.hold(exchange.hit, protocol)

        def happened() -> None:
            exchange.hit.happened()
            if parameters.get("seconds") is not None:
                protocol.release_after(parameters["seconds"])

        if exchange.before:
            # An upload that stalls is read no further: the client's writes block when the buffers in between are full.
            await exchange.read(parameters["at_byte"] if exchange.fault.kind.startswith("upload_") else math.inf)
            happened()
            protocol.end(what)
            await protocol.lost.wait()
        else:
            await exchange.pass_on(_playing(protocol, Script(what, parameters.get("at_byte"), happened=happened)))

    return effect


def _playing(protocol: FaultyProtocol, script: Script) -> Callable[[Message], Awaitable[None]]:
    async def play(_: Message) -> None:
        protocol.play(script)

    return play


async def _drip(exchange: _Exchange) -> None:
    exchange.hit.happened()
    await exchange.pass_on(_playing(exchange.protocol, Script(rate=exchange.fault["rate"])))


async def _delay(exchange: _Exchange) -> None:
    async def wait(_: object = None) -> None:
        await exchange.pause(exchange.fault["seconds"])

    if not exchange.before:
        exchange.hit.happened()
        return await exchange.pass_on(wait)
    # A request that has arrived is carried out, even if the client disconnects. Uploads are too large to keep.
    receive = exchange.receive if exchange.storage else await exchange.read_ahead()
    exchange.hit.happened()
    await wait()
    await exchange.app(exchange.scope, receive, exchange.send)


async def _changed_head(exchange: _Exchange) -> None:
    script = Script(head=partial(HEAD_CHANGES[exchange.fault.kind], exchange.fault), keep=False)

    async def play(message: Message) -> None:
        if message["status"] < 300:
            exchange.hit.happened()
            exchange.protocol.play(script)

    await exchange.pass_on(play)


async def _upload_slow(exchange: _Exchange) -> None:
    async def receive() -> Message:
        message = await exchange.receive()
        await exchange.pause(len(message.get("body", b"")) / exchange.fault["rate"])
        return message

    async def nothing(_: Message) -> None:
        pass

    exchange.hit.happened()
    await exchange.pass_on(nothing, receive)


_Effect = Callable[[_Exchange], Awaitable[None]]
# All other kinds are responses.
_EFFECTS: Final[Mapping[str, _Effect]] = {
    "reset": _ending("reset"),
    "close": _ending("close"),
    "cut": _ending("close"),
    "hang": _ending("stall"),
    "stall": _ending("stall"),
    "garbage": _ending("garbage"),
    "delay": _delay,
    "drip": _drip,
    "upload_reset": _ending("reset"),
    "upload_stall": _ending("stall"),
    "upload_slow": _upload_slow,
    **dict.fromkeys(HEAD_CHANGES, _changed_head),
}
