"""What a client is told is checked when it is made."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx
import pytest

from client.harness import KEY, PROJECT, Either, Recorder, create, get, polite, server
from magic_hour_client import AsyncClient, Client, InvalidArgument
from magic_hour_client._runtime import http_clients
from magic_hour_client._runtime.settings import BASE_URL_VARIABLE, DEFAULT_BASE_URL, KEY_VARIABLE

CLIENTS: list[Any] = [Client, AsyncClient]
both = pytest.mark.parametrize("make", CLIENTS)


def test_the_variables_are_the_vendors() -> None:
    assert (KEY_VARIABLE, BASE_URL_VARIABLE) == ("MAGIC_HOUR_API_KEY", "MAGIC_HOUR_BASE_URL")
    assert DEFAULT_BASE_URL == "https://api.magichour.ai"


@both
def test_without_a_key_the_error_says_where_to_put_one(make: Any) -> None:
    with pytest.raises(InvalidArgument, match="MAGIC_HOUR_API_KEY") as raised:
        make()
    assert raised.value.field == "token"
    assert isinstance(raised.value, ValueError)


@both
@pytest.mark.parametrize("key", ["", " ", "\n", "a\n", "a b", "\ta", "ä", "a\x00", 5, b"abc", ["a"]])
def test_what_cannot_be_a_key_is_refused_and_not_shown(make: Any, key: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidArgument) as raised:
        make(key)
    assert raised.value.field == "token"
    assert repr(key) not in str(raised.value)
    if isinstance(key, str) and "\x00" not in key:
        monkeypatch.setenv(KEY_VARIABLE, key)
        with pytest.raises(InvalidArgument):
            make()


def test_the_variables_fill_in_what_is_not_given(either: Either, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "from-variable")
    monkeypatch.setenv(BASE_URL_VARIABLE, "https://variable.example/")
    recorder = Recorder(PROJECT)
    either.call(get, recorder, token=None, base_url=None)
    either.call(get, recorder)
    assert [(request.url.host, request.headers["authorization"]) for request in recorder.requests] == [
        ("variable.example", "Bearer from-variable"),
        ("api.example", f"Bearer {KEY}"),
    ]


@both
def test_an_empty_address_variable_is_none(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BASE_URL_VARIABLE, "")
    assert DEFAULT_BASE_URL in repr(make(KEY))


NO_ADDRESSES: list[Any] = [
    *("api.magichour.ai", "//api.magichour.ai", "ftp://api.magichour.ai", "file:///etc/passwd", 5,
     b"https://api.example"),
    *("https:api.magichour.ai", "https://", "https:///v1", "https://:443", "https://user@api.example"),
    *("https://user:s3cret@api.example", "https://@api.example", "https://api.example\\@evil.example"),
    *("https://api.example?key=1", "https://api.example?", "https://api.example#x", "https://api.example#"),
    *("https://api example", " https://api.example", "https://api.example\n", "https://api.example\x00"),
    *("https://api.example:x", "https://api.example:99999", "https://[::1", "https://999.1.1.1", "https://."),
    *("https://a..b", "https://" + "a" * 70 + ".example"),
]  # fmt: skip


@both
@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_cannot_be_an_address_is_refused(make: Any, url: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidArgument) as raised:
        make(KEY, base_url=url)
    assert raised.value.field == "base_url"
    assert "s3cret" not in str(raised.value)
    if isinstance(url, str) and "\x00" not in url:
        monkeypatch.setenv(BASE_URL_VARIABLE, url)
        with pytest.raises(InvalidArgument):
            make(KEY)


@both
@pytest.mark.parametrize(
    "url", ["https://bücher.example", "HTTPS://API.example:8443/prefix/", "https://[2001:db8::1]", "https://10.0.0.1"]
)
def test_other_addresses_are_fine(make: Any, url: str) -> None:
    assert make(KEY, base_url=url).base_url.casefold() == url.rstrip("/").casefold()


@both
def test_plain_http_stays_on_this_machine_unless_allowed(make: Any) -> None:
    for host in ("127.0.0.1:80", "127.9.9.9", "[::1]:8765", "localhost", "a.localhost"):
        make(KEY, base_url=f"http://{host}")
    for host in ("api.example", "10.0.0.1", "localhost.example", "127.0.0.1.example", "evillocalhost"):
        with pytest.raises(InvalidArgument, match="allow_http"):
            make(KEY, base_url=f"http://{host}")
        make(KEY, base_url=f"http://{host}", allow_http=True)
    with pytest.raises(InvalidArgument):
        make(KEY, base_url="ftp://api.example", allow_http=True)


@both
@pytest.mark.parametrize("timeout", [0, -1, "5", True, float("nan"), float("inf"), [1]])
def test_a_timeout_that_is_none_is_refused(make: Any, timeout: Any) -> None:
    with pytest.raises(InvalidArgument) as raised:
        make(KEY, request_timeout=timeout)
    assert raised.value.field == "request_timeout"


@both
def test_no_repr_shows_the_key(make: Any) -> None:
    client = make(KEY, base_url="https://api.example")
    transport = client._transport
    for thing in (client, transport.settings, transport, client.v1, client.v1.image_projects):
        assert KEY not in repr(thing)
    assert repr(client) == f"{make.__name__}(base_url='https://api.example')"


def test_a_client_can_be_subclassed_and_used_in_with() -> None:
    class Mine(Client):
        pass

    with Mine(KEY, http_client=httpx.Client(transport=httpx.MockTransport(Recorder(PROJECT)))) as client:
        assert isinstance(client, Mine)
        assert get(client).id == "cuid-1"


@both
@pytest.mark.parametrize("url", ["https://api.example/v1", "https://api.example/v1/", "https://api.example/proxy/v1"])
def test_the_version_is_not_part_of_the_address(make: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidArgument, match=r"`base_url`: the client adds /v1 itself; leave it out"):
        make(KEY, base_url=url)
    monkeypatch.setenv(BASE_URL_VARIABLE, url)
    with pytest.raises(InvalidArgument, match=BASE_URL_VARIABLE):
        make(KEY)


class Float64:
    """A number of another library, as numpy and decimal have them."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


@both
def test_numbers_of_other_libraries_are_numbers(make: Any) -> None:
    for number in (Float64(2.5), Decimal("2.5"), Fraction(5, 2)):
        assert make(KEY, request_timeout=number)._transport.settings.request_timeout == 2.5
    for bad in (Float64(float("nan")), Float64(float("inf")), Float64(-1), Decimal("NaN"), Decimal("-1"), "2.5"):
        with pytest.raises(InvalidArgument, match="timeout"):
            make(KEY, request_timeout=bad)


# --- the environment ----------------------------------------------------------------------------------------------

ENVIRONMENTS = [
    ("NO_PROXY", "fd07::/64"),
    ("no_proxy", "fd07::/64"),
    ("HTTPS_PROXY", "ftp://user:s3cret@proxy.example"),
    ("https_proxy", "http://[bad"),
    ("ALL_PROXY", "http://proxy.example:99999"),
    ("HTTP_PROXY", "socks5://127.0.0.1:1"),
    ("SSL_CERT_FILE", "/nope.pem"),
    ("SSL_CERT_FILE", __file__),
    ("SSL_CERT_DIR", "/nope"),
]


@pytest.fixture
def without_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not spoken TLS yet, where the environment names no certificates."""
    monkeypatch.setattr(http_clients, "_shared", [])
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("without_certificates")
@both
@pytest.mark.parametrize(("name", "value"), ENVIRONMENTS)
def test_a_variable_that_no_connection_could_be_made_with_is_named(
    make: Any, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidArgument, match=rf"^`{name}`: ") as caught:
        make(KEY)
    assert caught.value.field == name
    assert "s3cret" not in str(caught.value)


@pytest.mark.usefixtures("without_certificates")
@pytest.mark.parametrize(("name", "value"), ENVIRONMENTS)
def test_one_that_is_set_later_is_named_by_the_call(
    either: Either, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(client: Any) -> Any:
        monkeypatch.setenv(name, value)
        return create(client)

    with pytest.raises(InvalidArgument, match=rf"^`{name}`: "):
        either.call(work)


def test_a_client_of_the_callers_own_has_nothing_to_do_with_the_environment(
    either: Either, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    http = either.http(recorder)
    for name, value in ENVIRONMENTS:
        monkeypatch.setenv(name, value)
    assert either.call(create, http_client=http).id == "cuid-1"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_this_machine_is_reached_without_a_proxy(either: Either, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with server(polite) as running:
        assert either.call(create, base_url=running.url).id == "cuid-1"
