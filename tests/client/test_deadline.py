"""The whole of a call is bounded, whatever a server does, and the bound reaches down to the socket.

A server here drips for five times the timeout, about two seconds, and then has given a whole answer. So a client whose
timeout of 0.4 s bounds single reads gets that answer, and one whose timeout bounds the call cannot.
"""

import socket
import ssl
import time
from contextlib import suppress
from functools import partial
from threading import Event
from typing import Any

import anyio
import httpcore
import httpx
import pytest

from client.harness import CREATED, KEY, Either, abandons_body, answered, create, get, polite, server
from magic_hour_client import Client, RequestTimeout
from magic_hour_client._runtime.deadline import Backend, Bound, Stream, enforce, timeouts
from servers import read_head, read_request, says, serving, silent

SECONDS = 0.4
TRIES = (SECONDS, 10 * SECONDS, 100 * SECONDS)
"""A busy machine may not come to sending in the first: then the same with more time."""
STEPS, PAUSE = 20, 0.1
A_WHILE = 30
"""By how much no call may be late; generous, for a busy machine."""


def drip(seconds: float, connection: socket.socket, content: bytes) -> None:
    size = -(-len(content) // STEPS)
    for start in range(0, len(content), size):
        connection.sendall(content[start : start + size])
        time.sleep(seconds / SECONDS * PAUSE)


def drips_headers(seconds: float, connection: socket.socket, request: bytes) -> None:
    answer = answered(CREATED, headers="x-padding: " + "x" * 400 + "\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    drip(seconds, connection, head)
    connection.sendall(b"\r\n\r\n" + body)


def drips_body(seconds: float, connection: socket.socket, request: bytes) -> None:
    head, _, body = answered(CREATED).partition(b"\r\n\r\n")
    connection.sendall(head + b"\r\n\r\n")
    drip(seconds, connection, body)


def never_answers(_: float, connection: socket.socket, request: bytes) -> None:
    silent(connection, request)


def reads_slowly(seconds: float, connection: socket.socket, head: bytes) -> None:
    while connection.recv(200_000):
        time.sleep(seconds / SECONDS * PAUSE)


BODY = {"padding": "x" * 24_000_000}
"""More than the buffers of two sockets hold."""
WORKS = {
    drips_headers: create,
    drips_body: get,
    never_answers: create,
    reads_slowly: lambda client: create(client, extra_body=BODY),
}


@abandons_body
@pytest.mark.parametrize("serve", WORKS, ids=lambda serve: serve.__name__)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_timeout_bounds_the_whole_call(
    either: Either, serve: Any, scheme: str, tls_server: ssl.SSLContext, tls_client: ssl.SSLContext
) -> None:
    for seconds in TRIES:
        read = read_head if serve is reads_slowly else read_request
        with serving(partial(serve, seconds), tls_server if scheme == "https" else None, read) as running:
            http = either.HTTPClient(verify=tls_client)
            started = time.monotonic()
            with pytest.raises(RequestTimeout) as raised:
                either.call(WORKS[serve], base_url=running.url, request_timeout=seconds, http_client=http)
            assert time.monotonic() - started < seconds + A_WHILE
            either.close(http)
        if raised.value.sent:
            break
    assert raised.value.sent is True


@pytest.mark.parametrize("serve", [drips_headers, drips_body])
def test_our_own_connections_are_bounded_too(either: Either, serve: Any) -> None:
    for work in (create, get):
        with server(partial(serve, SECONDS)) as running, pytest.raises(RequestTimeout):
            either.call(work, base_url=running.url, request_timeout=SECONDS)


@pytest.mark.parametrize("serve", [drips_headers, drips_body])
def test_httpx_alone_would_wait_for_every_drop(either: Either, serve: Any) -> None:
    """What the guard is for: with it removed, the tests above get an answer instead of a timeout."""

    async def asynchronous(url: str, seconds: float) -> httpx.Response:
        async with httpx.AsyncClient(timeout=seconds) as http:
            return await http.post(url)

    for seconds in TRIES:
        with server(partial(serve, seconds)) as running, suppress(httpx.TimeoutException):
            if not either.is_async:
                with httpx.Client(timeout=seconds) as http:
                    response = http.post(running.url)
            else:
                response = anyio.run(asynchronous, running.url, seconds, backend=either.name)
            break
    assert response.json() == CREATED
    assert response.elapsed.total_seconds() > 2 * seconds


@pytest.mark.parametrize("seconds", [1e12, float(2**62), 10**400])
def test_a_timeout_beyond_all_bounds_is_as_good_as_none(either: Either, seconds: float) -> None:
    with server(says(answered(CREATED))) as running:
        assert either.call(create, base_url=running.url, request_timeout=seconds).id == "cuid-1"
        assert either.call(create, base_url=running.url, request_timeout=None).id == "cuid-1"


# --- in the depth: blocking calls ---------------------------------------------------------------------------------


def backends(client: httpx.Client) -> list[Any]:
    transports = [client._transport, *client._mounts.values()]
    return [transport._pool._network_backend for transport in transports]  # type: ignore[union-attr]


def test_the_installed_httpx_has_its_network_backend_where_we_put_ours() -> None:
    with httpx.Client() as plain:
        assert isinstance(backends(plain)[0], httpcore.NetworkBackend)
        assert not isinstance(backends(plain)[0], Backend)
    with enforce(enforce(httpx.Client(proxy="http://127.0.0.1:1"))) as client:
        assert len(backends(client)) == 2
        for backend in backends(client):
            assert isinstance(backend, Backend)
            assert not isinstance(backend._inner, Backend)


def test_both_clients_of_a_transport_and_the_callers_own_are_bounded() -> None:
    with httpx.Client() as own, Client(KEY) as client, Client(KEY, http_client=own) as other:
        for transport, fresh in [(client._transport, True), (client._transport, False), (other._transport, False)]:
            assert isinstance(backends(transport.client(fresh=fresh))[0], Backend)


def test_a_transport_of_another_make_is_left_alone() -> None:
    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as client:
        assert enforce(client).get("https://x.example/").status_code == 200


def test_outside_of_a_bound_nothing_is_limited() -> None:
    with server(partial(drips_body, SECONDS)) as running, enforce(httpx.Client(timeout=60)) as client:
        assert client.post(running.url).json() == CREATED


def post(client: httpx.Client, url: str, deadline: float | None, stopped: Any = None) -> httpx.Response:
    return client.send(httpx.Request("POST", url, extensions={"timeout": timeouts(60, deadline, stopped)}))


def bound(seconds: float, step: float = 60) -> Bound:
    limit = timeouts(step, time.monotonic() + seconds)["read"]
    assert isinstance(limit, Bound)
    return limit


def test_the_bound_of_a_request_is_its_own() -> None:
    """Nothing is set around a call, so nothing of it is left for the next, whatever ended it."""
    with server(silent) as running, enforce(httpx.Client()) as client, pytest.raises(httpx.TimeoutException):
        post(client, running.url, time.monotonic() + SECONDS)
    with server(polite) as running, enforce(httpx.Client()) as client:
        with pytest.raises(httpx.WriteTimeout):
            post(client, running.url, time.monotonic() - 1)
        assert client.post(running.url).json() == CREATED
        assert post(client, running.url, time.monotonic() + 60).json() == CREATED


def test_a_stop_flag_ends_a_call_that_has_no_deadline() -> None:
    with (
        server(silent) as running,
        enforce(httpx.Client()) as client,
        pytest.raises(httpx.ReadTimeout, match="stopped"),
    ):
        post(client, running.url, None, lambda: running.heads)


def test_a_connection_closed_by_another_thread_says_so_itself() -> None:
    class Closed(httpcore.NetworkStream):
        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            raise httpcore.ReadError("Bad file descriptor")

        def get_extra_info(self, info: str) -> Any:
            with socket.socket() as closed:
                return closed if info == "socket" else None

    with pytest.raises(httpcore.ReadError):
        Stream(Closed()).read(1, bound(60))


class Coming(httpcore.NetworkStream):
    """A connection, and its socket, that brings `arriving` bytes at a time; they can be more than one read asks for."""

    def __init__(self, arriving: int) -> None:
        self.arriving = arriving
        self.asked: list[int] = []

    def recv(self, size: int) -> bytes:
        self.asked.append(size)
        return bytes(min(size, self.arriving))

    def fileno(self) -> int:
        return 0

    def gettimeout(self) -> float:
        return 0.0

    def get_extra_info(self, info: str) -> Any:
        return self if info == "socket" else None


def test_what_comes_fast_is_read_in_pieces_that_grow() -> None:
    coming = Coming(10**9)
    stream = Stream(coming)
    for _ in range(5):
        stream.read(64 * 1024, bound(60))
    coming.arriving = 100
    for _ in range(3):
        stream.read(64 * 1024, bound(60))
    assert [size // 1024 for size in coming.asked] == [64, 128, 256, 512, 512, 512, 64, 64]


class Unreachable(httpcore.NetworkBackend):
    """Takes notes of what is tried. `open` can be reached."""

    def __init__(self, open: str | None = None) -> None:
        self.open = open
        self.tried: list[tuple[str, float | None]] = []

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any) -> httpcore.NetworkStream:
        self.tried.append((host, timeout))
        if host == self.open:
            return httpcore.NetworkStream()
        raise httpcore.ConnectTimeout("timed out")


ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(0, 0, 0, "", (address, 443)) for address in ADDRESSES]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize("timeout", [3.0, 60.0])
def test_all_addresses_of_a_host_share_the_time(timeout: float) -> None:
    """The system's own way gives each address the whole of it."""
    unreachable = Unreachable()
    with pytest.raises(httpcore.ConnectTimeout):
        Backend(unreachable).connect_tcp("api.example", 443, bound(6, timeout))
    assert [address for address, _ in unreachable.tried] == ADDRESSES
    first = unreachable.tried[0][1]
    assert first is not None
    assert first <= min(6, timeout) / 3


@pytest.mark.usefixtures("resolved")
def test_the_first_address_that_answers_is_taken() -> None:
    backend = Unreachable(open=ADDRESSES[1])
    assert isinstance(Backend(backend).connect_tcp("api.example", 443, bound(6)), Stream)
    assert [address for address, _ in backend.tried] == ADDRESSES[:2]


def test_a_connection_that_comes_too_late_is_closed() -> None:
    answer, closed = Event(), Event()

    class Late(httpcore.NetworkBackend, httpcore.NetworkStream):
        def connect_tcp(self, *_: Any) -> httpcore.NetworkStream:
            answer.wait(30)
            return self

        def close(self) -> None:
            closed.set()

    limit = timeouts(60, None, lambda: True)["connect"]
    with pytest.raises(httpcore.ConnectTimeout, match="stopped"):
        Backend(Late()).connect_tcp("127.0.0.1", 443, limit)
    assert not closed.is_set()
    answer.set()
    assert closed.wait(60)


class Silent(httpcore.NetworkStream):
    """A connection to a SOCKS proxy, which httpcore talks to without a limit; keeps which limits it is given."""

    def __init__(self) -> None:
        self.given: list[float | None] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.given.append(timeout)
        return b""

    def get_extra_info(self, info: str) -> Any:
        return None


def test_what_httpcore_asks_without_a_limit_keeps_to_that_of_opening() -> None:
    """Until the first request: later ones, over the same connection, have limits of their own, or none."""
    stream = Stream(Silent(), bound(-1))
    with pytest.raises(httpcore.ReadTimeout):
        stream.read(1)
    inner = Silent()
    stream = Stream(inner, bound(-1))
    with pytest.raises(AttributeError):  # it has no socket
        stream.read(1, bound(60))
    assert stream.read(1) == b""
    assert inner.given == [None]


def test_a_name_service_that_does_not_answer_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    over = Event()

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        over.wait(60)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with Client(KEY, base_url="https://api.example") as client, pytest.raises(RequestTimeout) as raised:
        create(client, timeout=0.2)
    over.set()
    assert raised.value.sent is False
