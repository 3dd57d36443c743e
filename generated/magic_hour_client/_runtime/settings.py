"""The settings of a client: the key, the address, the time limit. Checked once, when the client is made.

Rule: a mistake is reported here, not after the first charge; and no repr shows the key.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from typing import Any
from urllib.parse import urlsplit

import attrs

from ._contract import DEFAULT_BASE_URL, ENV_PREFIX, PATH_PREFIX, PRODUCT
from .errors import Argument, InvalidArgument

KEY_VARIABLE = f"{ENV_PREFIX}_API_KEY"
BASE_URL_VARIABLE = f"{ENV_PREFIX}_BASE_URL"
_ADDRESS = re.compile(r"https?://[^\s\\?#@\x00-\x1f\x7f]+", re.IGNORECASE)
"""Neither user info nor a query: the path of a call is appended."""
LONGEST = 1e9
"""Seconds; sockets refuse to wait ten times as long."""
DEFAULT_TIMEOUT = 60.0
"""Seconds a single call may take as a whole."""


@attrs.frozen(kw_only=True)
class Settings:
    """The checked settings of a client."""

    token: str = attrs.field(repr=False)
    base_url: str
    user_agent: str
    request_timeout: float | None = DEFAULT_TIMEOUT


def settings(token: str | None, base_url: str | None, request_timeout: float | None, *, allow_http: bool) -> Settings:
    """Check the arguments of a client, with the environment filling in what was not given."""
    variable = None if base_url else os.environ.get(BASE_URL_VARIABLE)
    address, field = (variable, BASE_URL_VARIABLE) if variable else (base_url or DEFAULT_BASE_URL, "base_url")
    return Settings(
        token=_token(token),
        base_url=_base_url(address, allow_http, field),
        request_timeout=checked_seconds("request_timeout", request_timeout),
        user_agent=f"{PRODUCT} python/{'.'.join(map(str, sys.version_info[:3]))}",
    )


def _token(token: str | None) -> str:
    given: object = os.environ.get(KEY_VARIABLE) if token is None else token
    if given is None:
        raise InvalidArgument("no API key", f"pass token=... or set {KEY_VARIABLE}", field="token")
    if not isinstance(given, str):
        raise InvalidArgument(f"expected a string, got {type(given).__name__}", field="token")
    if not given.strip():
        raise InvalidArgument("the API key is empty", f"pass token=... or set {KEY_VARIABLE}", field="token")
    if not (given.isascii() and given.isprintable()) or " " in given:
        remedy = "give the key alone, without `Bearer`, spaces or line breaks"
        raise InvalidArgument("the API key has invalid characters", remedy, field="token")
    return given


def _base_url(url: str, allow_http: bool, field: str) -> str:
    """The base URL without a slash at its end; plain HTTP only to this machine, unless allowed."""
    parts = _parts(url)
    if parts is None:
        wanted = "an address with https:// and without a password, a query or a fragment"
        example = f", such as {DEFAULT_BASE_URL}" if DEFAULT_BASE_URL else ""
        raise InvalidArgument(f"expected {wanted}{example}", field=field)
    scheme, host = parts
    if not may_speak_to(scheme, host, allow_http):
        raise InvalidArgument(
            f"http:// would send the API key in the clear to {host}",
            ("use https:// or ", Argument("allow_http", "True")),
            field=field,
        )
    address = url.rstrip("/")
    if PATH_PREFIX and urlsplit(address).path.endswith(PATH_PREFIX):
        raise InvalidArgument(f"the client adds {PATH_PREFIX} itself", "leave it out of the address", field=field)
    return address


def checked_http_client(value: Any, kind: str) -> Any:
    """The caller's HTTP client, which must be sync for a sync client and async for an async one."""
    if value is None:
        return None
    import httpx

    if not isinstance(value, getattr(httpx, kind)):
        raise InvalidArgument(f"expected an httpx.{kind}, got {type(value).__name__}", field="http_client")
    return value


def _parts(url: object) -> tuple[str, str] | None:
    """Scheme and host, if httpx and the name service can use this address."""
    import httpx

    if not isinstance(url, str) or not _ADDRESS.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port out of range raises
        usable = host and host.encode("idna") and httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return None
    return (parts.scheme, host) if host and usable else None


def may_speak_to(scheme: str, host: str, allow_http: bool) -> bool:
    """Whether the connection is encrypted or local, or plain http was allowed."""
    if scheme == "https" or allow_http or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_flag(name: str, value: object) -> bool:
    """True or False, and no value that only counts as one: the word "no" from a configuration file would be True.

    Raises:
        InvalidArgument: it is neither.
    """
    if isinstance(value, bool):
        return value
    raise InvalidArgument(f"expected True or False, got {type(value).__name__}", field=name)


def checked_seconds(name: str, value: Any) -> float | None:
    """A positive, finite number of seconds, or None."""
    if value is None:
        return None
    if not isinstance(value, bool) and hasattr(value, "__float__"):  # numbers of other libraries too, but not text
        try:
            seconds = float(value)
        except (TypeError, ValueError, OverflowError) as error:  # an int may be larger than any float
            seconds = LONGEST if isinstance(error, OverflowError) and value > 0 else -1.0
        if 0 < seconds < float("inf"):
            return min(seconds, LONGEST)
    shown = repr(value) if isinstance(value, (int, float)) else type(value).__name__
    raise InvalidArgument(f"expected a number of seconds above 0, got {shown}", field=name)
