"""Whatever fails before the first byte of a paid request was not sent, whoever is to blame, and says what to fix."""

import socket
import ssl
from threading import Event
from typing import Any

import anyio
import httpcore
import httpx
import pytest

from client.harness import CREATED, Either, Handler, Recorder, answered, create, get, polite, server
from magic_hour_client import AsyncClient
from magic_hour_client.errors import ConnectionFailed, InvalidArgument, MagicHourError, RequestTimeout, TooManyRequests
from servers import closes, read_head, says, serving, silent
from worlds import MODES

# --- the tunnel of a proxy ----------------------------------------------------------------------------------------


def answers(status: str) -> Any:
    return says(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())


TUNNELS = {
    "closes": closes,
    "hangs": silent,
    "babbles": says(b"\0 garbage\r\n\r\n"),
    "407": answers("407 mhk_live_0123456789abcdef"),
    "403": answers("403 Forbidden"),
    "502": answers("502 Bad Gateway"),
    "no TLS": says(b"HTTP/1.1 200 OK\r\n\r\n"),
}


@pytest.mark.parametrize("tunnel", TUNNELS)
def test_a_proxy_that_gives_no_tunnel_was_sent_nothing(
    either: Either, tunnel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(TUNNELS[tunnel]) as running:
        monkeypatch.setenv("HTTPS_PROXY", running.url)
        with pytest.raises(ConnectionFailed, match="before anything was sent, through the proxy at 127") as caught:
            either.call(create, request_timeout=0.3 if tunnel == "hangs" else 10)
    error = caught.value
    assert error.sent is False
    assert isinstance(error, RequestTimeout) is (tunnel == "hangs")
    assert f"127.0.0.1:{running.url.rpartition(':')[2]}" in str(error)
    assert "mhk_live" not in f"{error} {error.__cause__!r} {error.__cause__.__cause__!r}"  # type: ignore[union-attr]


def test_a_proxy_for_plain_http_gets_the_request_itself(either: Either, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tunnel is asked for, so what it does with the request is not known."""
    with server(closes) as running:
        monkeypatch.setenv("HTTP_PROXY", running.url)
        with pytest.raises(ConnectionFailed, match="after the request was sent, through the proxy") as caught:
            either.call(create, base_url="http://api.example", allow_http=True, request_timeout=10)
    assert caught.value.sent is True


# --- what a caller hands in ---------------------------------------------------------------------------------------


class Broken(Exception):
    """A bug in something of the caller's."""


def hooked(either: Either, when: str, error: Exception, handler: Handler | None = None, real: bool = False) -> Any:
    """An HTTP client of the caller's with a hook that raises; a real one speaks to servers."""

    def hook(_: object) -> None:
        raise error

    async def awaited(_: object) -> None:
        raise error

    hooks = {when: [awaited if either.is_async else hook]}
    return either.HTTPClient(event_hooks=hooks) if real else either.http(handler or Recorder(), event_hooks=hooks)


@pytest.mark.parametrize("work", [create, get])
def test_a_hook_that_raises_before_the_request_is_named(either: Either, work: Any) -> None:
    recorder = Recorder()
    http = hooked(either, "request", Broken("x"), recorder)
    with pytest.raises(InvalidArgument, match=r"`http_client`: it raised Broken before anything was sent") as caught:
        either.call(work, http_client=http)
    assert caught.value.field == "http_client"
    assert isinstance(caught.value.__cause__, Broken)
    assert recorder.requests == []


@pytest.mark.parametrize("error", [httpx.ReadError("x"), FileNotFoundError("x"), TimeoutError("x")], ids=repr)
def test_a_hook_whose_own_errands_fail_was_before_the_request(either: Either, error: Exception) -> None:
    http = hooked(either, "request", error)
    with pytest.raises(ConnectionFailed, match="before anything was sent") as caught:
        either.call(create, http_client=http)
    assert caught.value.sent is False


def test_a_hook_that_raises_after_the_answer_is_after_it(either: Either) -> None:
    recorder = Recorder()
    http = hooked(either, "response", Broken("x"), recorder)
    with pytest.raises(Broken):
        either.call(create, http_client=http)
    assert len(recorder.requests) == 1


ERRANDS: list[MagicHourError] = [
    TooManyRequests("x", operation="of the hook", status=429),
    ConnectionFailed("x", operation="of the hook", sent=False),
    InvalidArgument("x"),
]


@pytest.mark.parametrize("error", ERRANDS, ids=lambda error: type(error).__name__)
def test_a_hook_whose_own_call_of_us_is_refused_after_the_answer_says_nothing_of_it(
    either: Either, error: MagicHourError
) -> None:
    """It was taken for the answer to the create, which was sent up to five times."""
    http = hooked(either, "response", error)
    with pytest.raises(ConnectionFailed, match="after the request was sent") as caught:
        either.call(create, http_client=http)
    assert caught.value.sent is True
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("real", [True, False])
def test_a_hook_that_cannot_connect_after_the_answer_is_after_it(either: Either, real: bool) -> None:
    """Also where the transport is the caller's own, which does not tell its steps."""
    http = hooked(either, "response", httpx.ConnectError("of the hook"), real=real)
    with server(polite) as running, pytest.raises(ConnectionFailed, match="after the request was sent") as caught:
        either.call(create, base_url=running.url, http_client=http)
    assert caught.value.sent is True
    either.close(http)


def test_a_closed_client_of_the_callers_is_named(either: Either) -> None:
    http = either.http(Recorder())
    either.close(http)
    with pytest.raises(InvalidArgument, match="`http_client`: it raised RuntimeError before anything was sent"):
        either.call(create, http_client=http)


def test_a_client_of_another_make_has_the_request_from_the_beginning(either: Either) -> None:
    """It may have sent it in a way of its own, so a failure before its transport says nothing."""
    base: Any = either.HTTPClient

    class Own(base):  # type: ignore[misc]
        def send(self, request: httpx.Request, **_: Any) -> Any:
            raise Broken("after it was sent in another way")

    with pytest.raises(Broken):
        either.call(create, http_client=Own(transport=httpx.MockTransport(Recorder())))


@pytest.mark.parametrize("where", ["transport", "pool"])
def test_what_replaces_the_sending_of_httpx_may_have_sent_the_request(
    either: Either, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools for tests, and ports to browsers, do so; they tell no steps, and a failure in them says nothing."""
    kinds = {
        "transport": (httpx.HTTPTransport, httpx.AsyncHTTPTransport),
        "pool": (httpcore.ConnectionPool, httpcore.AsyncConnectionPool),
    }

    def sends(*_: Any) -> Any:
        raise (httpx if where == "transport" else httpcore).ReadTimeout("no answer to what was sent")

    async def asends(*_: Any) -> Any:
        sends()

    name, send = ("handle_async_request", asends) if either.is_async else ("handle_request", sends)
    monkeypatch.setattr(kinds[where][either.is_async], name, send)
    with pytest.raises(RequestTimeout) as caught:
        either.call(create)
    assert caught.value.sent is True


def test_the_trust_of_httpx_in_its_own_transports_is_where_we_look_for_it() -> None:
    """A test fails when the private names move: then nothing is known to be unsent any more, which is safe."""
    for either in (Either(mode) for mode in MODES[:2]):
        http = either.HTTPClient(proxy="http://127.0.0.1:1")
        assert all("HTTPTransport" in type(each).__name__ for each in (http._transport, *http._mounts.values()))
        address = http._transport_for_url(httpx.URL("https://api.example"))._pool._proxy_url
        assert (address.host, address.port) == (b"127.0.0.1", 1)
        either.close(http)


# --- interruptions before the first byte --------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("given", [False, True])
def test_a_cancellation_during_the_handshake_ends_at_once_and_nothing_was_sent(
    backend: str, given: bool, tls_client: ssl.SSLContext
) -> None:
    arrived = Event()
    seen: list[BaseException] = []

    def hello(connection: socket.socket) -> bytes:
        connection.recv(10)
        arrived.set()
        return read_head(connection)  # no more comes until the client goes

    async def main(url: str) -> None:
        http = httpx.AsyncClient(verify=tls_client, trust_env=False) if given else None
        async with AsyncClient("key", base_url=url, http_client=http) as client:

            async def call() -> None:
                try:
                    await create(client)
                except BaseException as error:
                    seen.append(error)
                    raise

            with anyio.fail_after(5):
                async with anyio.create_task_group() as group:
                    group.start_soon(call)
                    await anyio.to_thread.run_sync(arrived.wait, 10)
                    group.cancel_scope.cancel()
        if http is not None:
            await http.aclose()

    with serving(closes, read=hello) as running:
        anyio.run(main, running.url.replace("http:", "https:"), backend=backend)
    assert seen[0].unsent is True  # type: ignore[attr-defined]
    assert isinstance(seen[0], Exception) is False


def test_after_a_cancelled_handshake_the_client_works(tls_server: ssl.SSLContext, tls_client: ssl.SSLContext) -> None:
    async def main(url: str) -> Any:
        async with (
            httpx.AsyncClient(verify=tls_client) as http,
            AsyncClient("key", base_url=url, http_client=http) as client,
        ):
            with anyio.move_on_after(0):
                await create(client)
            return await create(client)

    with server(polite, tls_server) as running:
        assert anyio.run(main, running.url).id == CREATED["id"]


@pytest.mark.parametrize("location", ["javascript:alert(1)", "http://[bad/"])
def test_a_redirect_to_no_address_comes_after_the_first_byte(either: Either, location: str) -> None:
    """httpx reads `Location` although it does not follow it, and raises what it raises of a bad address of ours."""

    found = answered({}, "302 Found", f"location: {location}\r\nconnection: close\r\n")
    with server(says(found)) as running, pytest.raises(MagicHourError) as caught:
        either.call(create, base_url=running.url, request_timeout=30)
    assert getattr(caught.value, "sent", True)
