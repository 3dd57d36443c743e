"""Whom webhooks go to, and how an event is signed.

Rule: a target is on this machine's loopback interface, like everything the emulator talks to.
"""

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["Webhook", "loopback_only", "parse_webhook", "signature"]


@dataclass(frozen=True)
class Webhook:
    """A target of events, and the secret that signs them."""

    url: str
    secret: str = field(repr=False)


def signature(secret: str, timestamp: str, body: str) -> str:
    """The signature of an event, as the contract defines it (spec/): the key is the whole secret."""
    return hmac.new(secret.encode(), f"{timestamp}.{body}".encode(), hashlib.sha256).hexdigest()


def parse_webhook(url: str, secret: str) -> Webhook:
    """A target of events. ValueError, with the remedy, if it is not on this machine or not usable."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as wrong:
        raise ValueError(f"webhook: {wrong}") from wrong
    if parts.scheme != "http" or not host or parts.username is not None or port == 0 or not url.isprintable():
        raise ValueError("webhook must be a URL such as http://127.0.0.1:8000/hook, without user and password")
    if not secret:
        raise ValueError("webhook_secret is missing: pass the secret that the receiver checks, such as whsec_test")
    try:
        found = socket.getaddrinfo(host, port or 80, type=socket.SOCK_STREAM)
    except OSError as unknown:
        raise ValueError(f"webhook: {host} is unknown: use a server on this machine, such as 127.0.0.1") from unknown
    loopback_only(host, [str(address[0]) for *_, address in found])
    return Webhook(url, secret)


def loopback_only(host: str, addresses: Iterable[str]) -> None:
    """ValueError if a host has an address that is not on this machine's loopback interface."""
    for address in addresses:
        if not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
            remedy = "use a server on this machine, such as 127.0.0.1, that passes events on"
            raise ValueError(f"webhook: {host} is not on the loopback interface, and nothing leaves it: {remedy}")
