"""Connections: how they fail, what an error knows of it and hides, which are shared, and who closes them."""

import errno
import pickle
import socket
import ssl
import traceback
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from client.conftest import CERTIFICATE
from client.harness import CREATED, KEY, PROJECT, Either, Handler, Recorder, answered, create, get, polite, server
from magic_hour_client import Client, ConnectionFailed, InvalidArgument, MagicHourError, RequestTimeout
from magic_hour_client._runtime import http_clients
from servers import closes, says, serving, silent


def failure(either: Either, url: str, work: Any = create, **options: Any) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as raised:
        either.call(work, base_url=url, **{"request_timeout": 10, **options})
    error = raised.value
    assert (error.sent and "after the request was sent" in str(error)) or "before anything was sent" in str(error)
    assert str(error).startswith(error.operation)
    check_no_key(error)
    return error


def check_no_key(error: BaseException) -> None:
    """The key is nowhere in an error, in what it came from, or in what is printed of it."""
    assert KEY not in "".join(traceback.format_exception(error))
    assert KEY.encode() not in pickle.dumps(error)
    seen: BaseException | None = error
    while seen is not None:
        assert KEY not in f"{seen} {seen!r} {vars(seen)!r}"
        for value in vars(seen).values():
            assert not isinstance(value, (httpx.Request, httpx.Response))
        seen = seen.__cause__ or seen.__context__


# --- how connections fail -----------------------------------------------------------------------------------------


def test_without_a_connection_nothing_was_sent(either: Either, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "https://api.invalid"):
        for work in (create, get):
            error = failure(either, url, work)
            assert type(error) is ConnectionFailed
            assert error.sent is False
        monkeypatch.setattr(socket, "getaddrinfo", nobody)


def resets(connection: socket.socket, request: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


CUTS = says(answered(CREATED)[:-5])
BABBLES = says(b"\0\1\2 this is no HTTP\r\n\r\n")


@pytest.mark.parametrize("serve", [closes, resets, CUTS, BABBLES])
@pytest.mark.parametrize("work", [create, get])
def test_what_fails_after_the_request_went_out_may_have_arrived(either: Either, serve: Any, work: Any) -> None:
    with server(serve) as running:
        error = failure(either, running.url, work)
        assert type(error) is ConnectionFailed
        assert error.sent is True
        assert running.connections == 1


def test_silence_is_a_timeout_and_may_have_arrived(either: Either) -> None:
    with server(silent) as running:
        error = failure(either, running.url, request_timeout=0.3)
    assert type(error) is RequestTimeout
    assert isinstance(error, TimeoutError)
    assert error.sent is True


@pytest.mark.parametrize("serve", [silent, BABBLES, polite], ids=["silent", "plain", "untrusted"])
def test_a_failed_tls_handshake_was_not_sent(either: Either, serve: Any, tls_server: ssl.SSLContext) -> None:
    hello = None if serve is silent else lambda connection: connection.recv(65536)
    with serving(serve, *((tls_server,) if serve is polite else (None, hello))) as running:
        url = running.url.replace("http:", "https:")
        error = failure(either, url, request_timeout=0.3 if serve is silent else 10)
    assert type(error) is (RequestTimeout if serve is silent else ConnectionFailed)
    assert error.sent is False


def test_the_certificates_are_those_that_the_environment_names(
    either: Either, tls_server: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_clients, "_shared", [])  # as in a process that has not spoken TLS yet
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with server(polite, tls_server) as running:
        assert either.call(get, base_url=running.url).id == PROJECT["id"]


def test_plain_http_loads_no_certificates_and_trusts_nobody(tls_server: ssl.SSLContext) -> None:
    with Client(KEY) as client, server(polite, tls_server) as running:
        loose, tight, fresh = (
            client._transport.client(secure=secure, fresh=fresh)
            for secure, fresh in ((False, False), (True, False), (True, True))
        )
        contexts: list[ssl.SSLContext] = [http._transport._pool._ssl_context for http in (loose, tight, fresh)]  # type: ignore[attr-defined]
        assert contexts[0].get_ca_certs() == []
        assert contexts[1] is contexts[2]
        assert contexts[1].get_ca_certs()
        for context in contexts:
            assert context.verify_mode is ssl.CERT_REQUIRED
            assert context.check_hostname
        with pytest.raises(httpx.ConnectError):
            loose.get(running.url)


# --- what other transports raise ----------------------------------------------------------------------------------

UNSENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")
SENT = (
    *("ReadTimeout", "WriteTimeout", "ReadError", "WriteError", "CloseError"),
    *("LocalProtocolError", "RemoteProtocolError", "DecodingError", "TooManyRedirects"),
)
RAISED: list[Exception] = [
    *(getattr(httpx, name)("" if name == "PoolTimeout" else "x") for name in (*UNSENT, *SENT)),
    httpx.HTTPStatusError("x", request=httpx.Request("GET", "https://x.example"), response=httpx.Response(500)),
    OSError(errno.ENETDOWN, "Network is down"),
    ssl.SSLError("x"),
    TimeoutError(),
]


def raises(error: Exception) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_transport_raises_becomes_ours(either: Either, error: Exception) -> None:
    name = type(error).__name__
    with pytest.raises(ConnectionFailed) as raised:
        either.call(create, raises(error))
    assert type(raised.value) is (RequestTimeout if "Timeout" in name else ConnectionFailed)
    assert raised.value.sent is (name not in UNSENT)
    check_no_key(raised.value)


def test_a_signed_url_in_a_failure_loses_its_query(either: Either) -> None:
    with pytest.raises(ConnectionFailed) as raised:
        either.call(create, raises(httpx.ReadError("while reading https://x.example/a?sig=s3cret")))
    assert "s3cret" not in str(raised.value)
    assert "x.example/a" in str(raised.value)


@pytest.mark.parametrize("bug", [ZeroDivisionError(), httpx.StreamClosed(), httpx.ResponseNotRead()], ids=repr)
def test_a_bug_in_a_transport_is_not_hidden(either: Either, bug: Exception) -> None:
    for work in (create, get):
        with pytest.raises(type(bug)) as caught:
            either.call(work, raises(bug))
        assert caught.value is bug


# --- which connections are shared ---------------------------------------------------------------------------------


def test_creates_use_a_connection_of_their_own_and_gets_share_one(either: Either) -> None:
    with server(polite) as running:
        either.calls(get, create, get, create, get, base_url=running.url)
        assert running.connections == 3


def test_a_client_of_the_callers_is_used_for_everything_and_left_open(either: Either) -> None:
    recorder = Recorder(PROJECT)
    http = either.http(recorder)
    either.calls(get, create, http_client=http)
    assert len(recorder.requests) == 2
    assert not http.is_closed
    either.close(http)


def test_a_kept_connection_that_the_server_closed_is_replaced(either: Either) -> None:
    closed = Event()

    def one_each(connection: socket.socket, request: bytes) -> None:
        connection.sendall(answered(PROJECT))
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with server(one_each) as running:
        first, _, second = either.calls(get, lambda client: closed.wait(60), get, base_url=running.url)
        assert first == second
        assert running.connections == 2


def test_threads_share_one_client() -> None:
    with (
        server(polite) as running,
        Client(KEY, base_url=running.url) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        assert {project.id for project in pool.map(lambda _: get(client), range(40))} == {"cuid-1"}
        assert running.connections <= 8


# --- closing ------------------------------------------------------------------------------------------------------


def test_closing_closes_the_connections(either: Either) -> None:
    closed = Event()

    def serve(connection: socket.socket, request: bytes) -> None:
        polite(connection, request)
        closed.set()

    with server(serve) as running:
        either.call(get, base_url=running.url)
        assert closed.wait(60)


def test_a_closed_client_says_so_and_sends_nothing(either: Either) -> None:
    recorder = Recorder(PROJECT)

    for handler in (recorder, None):
        with pytest.raises(InvalidArgument, match="closed"):
            either.calls(lambda client: client.close(), lambda client: client.close(), get, handler=handler)
    assert recorder.requests == []


def test_closing_in_another_thread_ends_a_call_in_flight() -> None:
    arrived = Event()

    def serve(connection: socket.socket, request: bytes) -> None:
        arrived.set()
        silent(connection, request)

    errors: list[BaseException] = []

    def wait(client: Client) -> None:
        try:
            get(client)
        except MagicHourError as error:
            errors.append(error)

    with server(serve) as running, Client(KEY, base_url=running.url, request_timeout=20) as client:
        thread = Thread(target=wait, args=(client,))
        thread.start()
        assert arrived.wait(60)
        client.close()
        thread.join(60)
        assert not thread.is_alive()
    assert [type(error) for error in errors] == [ConnectionFailed]
