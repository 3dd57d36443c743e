"""The last question before a paid request: asked directly before its first byte, at a connection that is open."""

import socket
import ssl
from collections.abc import Callable
from threading import Event
from typing import Any

import anyio
import httpx
import pytest

from client.harness import CREATED, Either, Recorder, answered, polite, server
from magic_hour_client._runtime.send_trace import SendTrace
from magic_hour_client.api.v1_image_projects import create_ai_image
from magic_hour_client.errors import ServerError
from servers import Server, read_request, serving

OPERATION = create_ai_image.request(image_count=1, style={"prompt": "A red fox"})


class Listening:
    """A server that keeps what comes in: with or without TLS, behind a proxy or not."""

    def __init__(self, tls: ssl.SSLContext | None, tunnel: bool) -> None:
        self.tls = tls
        self.tunnel = tunnel
        self.opened = Event()
        self.received = b""
        self.closed = Event()

    def read(self, connection: socket.socket) -> bytes:
        if self.tunnel:
            assert read_request(connection).startswith(b"CONNECT ")
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return b""

    def __call__(self, connection: socket.socket, _: bytes) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self.opened.set()
            with connection:
                while content := read_request(connection):
                    self.received += content
                    connection.sendall(answered(CREATED))
        finally:  # an end of TLS without a farewell is an error from Python 3.13 on
            self.closed.set()


def ask(either: Either, question: Callable[[], None]) -> Callable[[], Any]:
    """The question as each client takes it; where it is awaited, it waits."""
    if not either.is_async:
        return question

    async def awaited() -> None:
        await anyio.sleep(0.001)
        question()

    return awaited


def sent(either: Either, running: Server, question: Callable[[], None], trace: SendTrace, **options: Any) -> Any:
    def work(client: Any) -> Any:
        return client._transport.send(OPERATION, timeout=10, before_sending=ask(either, question), trace=trace)

    return either.call(work, base_url=running.url, **options)


WAYS = pytest.mark.parametrize(("secure", "tunnel"), [(False, False), (True, False), (True, True)])


@pytest.fixture
def way(either: Either, secure: bool, tunnel: bool, tls_server: ssl.SSLContext, tls_client: ssl.SSLContext) -> Any:
    """The server's part, and a function that makes the HTTP client that belongs to it."""

    def client_of(running: Server) -> Any:
        proxy = running.url if tunnel else None
        limits = httpx.Limits(max_keepalive_connections=0)
        return either.HTTPClient(verify=tls_client, proxy=proxy, trust_env=False, limits=limits)

    return Listening(tls_server if secure else None, tunnel), client_of


def address(running: Server, secure: bool) -> str:
    return running.url.replace("http:", "https:") if secure else running.url


@WAYS
def test_it_is_asked_when_the_connection_is_open_and_nothing_was_sent(either: Either, way: Any, secure: bool) -> None:
    listening, client_of = way
    seen: list[tuple[bool, bytes, bool]] = []
    trace = SendTrace()
    with serving(listening, read=listening.read) as running:
        http = client_of(running)

        def question() -> None:
            opened = bool(seen) and listening.opened.wait(60)
            seen.append((opened, listening.received, trace.started))

        running.url = address(running, secure)
        assert sent(either, running, question, trace, http_client=http).id == "cuid-1"
        either.close(http)
    assert seen == [(False, b"", False), (True, b"", False)]
    assert trace.started
    assert trace.result.id == "cuid-1"


@WAYS
@pytest.mark.parametrize(
    "error", [RuntimeError("no"), ConnectionResetError("no"), httpx.ReadError("no"), httpx.InvalidURL("no")], ids=repr
)
def test_a_no_leaves_unchanged_and_nothing_was_sent(either: Either, way: Any, secure: bool, error: Exception) -> None:
    listening, client_of = way
    trace = SendTrace()
    with serving(listening, read=listening.read) as running:
        http = client_of(running)

        def question() -> None:
            if trace.handed:
                raise error

        running.url = address(running, secure)
        with pytest.raises(type(error)) as caught:
            sent(either, running, question, trace, http_client=http)
        assert caught.value is error
        assert listening.closed.wait(60), "the connection is not used for anything else"
        either.close(http)
    assert listening.received == b""
    assert trace.unsent


def test_our_own_connections_ask_as_well(either: Either) -> None:
    asked: list[bool] = []
    trace = SendTrace()
    with server(polite) as running:
        assert sent(either, running, lambda: asked.append(trace.handed), trace).id == "cuid-1"
    assert asked == [False, True]


def test_a_transport_that_tells_nothing_is_asked_for_in_front_of_it(either: Either) -> None:
    recorder = Recorder()
    trace = SendTrace()
    error = ServerError("the claim is lost", operation="x", status=500)

    def no() -> None:
        raise error

    def work(client: Any) -> Any:
        return client._transport.send(OPERATION, timeout=10, before_sending=ask(either, no), trace=trace)

    with pytest.raises(ServerError) as caught:
        either.call(work, recorder)
    assert caught.value is error
    assert recorder.requests == []
    assert trace.unsent


def test_a_question_that_takes_too_long_is_a_timeout_before_anything_was_sent() -> None:
    """Blocking code cannot be told to stop; where it is awaited, the limit of the call holds for it too."""
    either = Either("asyncio")
    recorder = Recorder()

    async def forever() -> None:
        await anyio.sleep_forever()

    def work(client: Any) -> Any:
        return client._transport.send(OPERATION, timeout=0.05, before_sending=forever)

    with pytest.raises(TimeoutError, match="before anything was sent") as caught:
        either.call(work, recorder)
    assert caught.value.sent is False  # type: ignore[attr-defined]
    assert recorder.requests == []
