"""URLs that come from outside, checked before anything is made of them.

Rule: nothing that the service or storage gives reaches the HTTP client, a resolver or a socket unchecked: each raises
an error of its own for what it does not take. A signed URL is never shown, and no part of one that cannot be read.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from magic_hour_client._runtime.settings import may_speak_to

from ._formatting import shown
from .errors import TransferFailed, UnusableURL

_LONGEST = 65536  # httpx takes no longer one
_NEVER = re.compile(r"[\x00-\x1f\x7f]|\A | \Z")
"""The standard library drops some of these without a word, and httpx refuses all of them."""


def checked_url(url: object, allow_http: bool, base: str = "") -> str:
    """A signed URL that may be spoken to: HTTPS, or plain HTTP to this machine, or that was allowed.

    Args:
        url: what storage or the service gave, whatever it is.
        allow_http: whether plain HTTP may go anywhere.
        base: what a relative one, in a redirect, is relative to.

    Raises:
        UnusableURL: it is not a URL.
        TransferFailed: it is neither of these.
    """
    try:
        if not isinstance(url, str) or _NEVER.search(url):
            raise ValueError
        joined = urljoin(base, url)
        parts = urlsplit(joined)
        host = _usable_host(joined, parts)
    except ValueError:  # UnicodeError is one too; what they say would quote the URL
        raise UnusableURL("storage returned an invalid URL", final=True) from None
    if not may_speak_to(parts.scheme, host, allow_http):
        problem, remedy = f"storage returned a plain http:// URL on {shown(host)}", "allow_http=True would accept it"
        raise TransferFailed(problem, remedy, final=True)
    return joined


def _usable_host(url: str, parts: SplitResult) -> str:
    """The host of a URL that HTTP clients, resolvers and sockets will take.

    Raises:
        ValueError: they will not.
    """
    host = parts.hostname or ""
    url.encode()  # no half of a surrogate pair
    if ":" in host:
        ip_address(host.partition("%")[0])
    else:
        host.encode("idna")  # as the resolver does: no empty or endless label
    if parts.scheme not in ("http", "https") or not host or parts.port == 0 or len(url) > _LONGEST:
        raise ValueError
    return host
