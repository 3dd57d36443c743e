"""The signatures of webhook requests: HMAC-SHA256 over the time and the raw body, as the service makes them.

The names of the headers, the message that is signed and the key are those of the contract (spec/shared.yaml).

Rule: in constant time: how long it takes says nothing about the signature or the secrets.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from magic_hour_client._runtime.settings import checked_seconds
from magic_hour_client.errors import InvalidArgument

from .._webhook_errors import WebhookExpired, WebhookHeaderMissing, WebhookSignatureMismatch

TIMESTAMP = "magic-hour-event-timestamp"
SIGNATURE = "magic-hour-event-signature"
TOLERANCE = 300.0
"""Seconds between the clocks of the service and of this machine, in either direction (spec/shared.yaml)."""
_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]
"""Headers as any framework has them: a mapping, or pairs. Letter case does not matter."""


def signature(body: bytes, secret: str, timestamp: str) -> str:
    """The signature of a body that was sent at `timestamp`."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def sign(body: bytes, secret: str, timestamp: float | None = None) -> dict[str, str]:
    """The headers of a webhook request, as the service makes them: for tests.

    Args:
        body: the raw bytes of the request.
        secret: the secret of the webhook.
        timestamp: when it is sent, in seconds since 1970. Default: now.

    Returns:
        The two headers of the signature, by their names.

    Raises:
        InvalidArgument: an argument is invalid.

    Example:
        >>> from magic_hour_workflows.webhooks import sign
        >>> sign(b"{}", "whsec_example", timestamp=1_700_000_000)["magic-hour-event-timestamp"]
        '1700000000'
    """
    [checked] = checked_secrets((secret,))
    sent = str(int(time.time() if timestamp is None else timestamp))
    return {TIMESTAMP: sent, SIGNATURE: signature(checked_body(body), checked, sent)}


def verify(body: bytes, headers: Headers, secrets: tuple[str, ...], tolerance: float, now: float) -> int:
    """Check that the service sent this; returns when it did, in seconds since 1970.

    Raises:
        WebhookHeaderMissing, WebhookExpired, WebhookSignatureMismatch: it is not proved.
    """
    found = _values(headers)
    timestamp, given = _single(found, TIMESTAMP), _single(found, SIGNATURE)
    if not _SECONDS.fullmatch(timestamp):
        raise WebhookHeaderMissing(TIMESTAMP, "is not a number of seconds")
    age = now - int(timestamp)
    if abs(age) > tolerance:
        raise WebhookExpired(age, tolerance)
    received = given.encode("utf-8", "replace")
    fits = [hmac.compare_digest(signature(body, secret, timestamp).encode(), received) for secret in secrets]
    if not any(fits):  # each was compared, whichever fits
        raise WebhookSignatureMismatch
    return int(timestamp)


def _values(headers: Headers) -> dict[str, list[str]]:
    """The values of the two headers of a signature, by the name of the header."""
    found: dict[str, list[str]] = {}
    for name, value in _pairs(headers):
        if (known := _text(name).lower()) in (TIMESTAMP, SIGNATURE):
            found.setdefault(known, []).append(_text(value))
    return found


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    try:
        return [(name, value) for name, value in (headers.items() if hasattr(headers, "items") else headers)]
    except (TypeError, ValueError):
        raise InvalidArgument(
            "expected a mapping or pairs of names and values", "pass the headers of the request", field="headers"
        ) from None


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _single(found: Mapping[str, list[str]], name: str) -> str:
    values = found.get(name, [])
    if len(values) != 1 or not values[0]:
        raise WebhookHeaderMissing(name, "is given more than once" if len(values) > 1 else "is missing")
    return values[0]


def checked_body(body: object) -> bytes:
    """The raw bytes of a request.

    Raises:
        InvalidArgument: it is something that was made of them, of which no signature can be checked.
    """
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise InvalidArgument(
        f"expected the bytes of the request, got {type(body).__name__}",
        "the signature covers the bytes as they came: pass the raw body, before it is decoded or parsed as JSON",
        field="body",
    )


def checked_secrets(secrets: tuple[Any, ...]) -> tuple[str, ...]:
    """The secrets of a webhook; more than one while they are exchanged.

    Raises:
        InvalidArgument: there is none, or one cannot be right. No message shows it.
    """
    if not secrets:
        raise InvalidArgument("no webhook secret", "pass the secret that the web app shows", field="secrets")
    for secret in secrets:
        if not isinstance(secret, str):
            remedy = "pass several secrets as arguments of their own: *secrets"
            raise InvalidArgument(f"expected strings, got {type(secret).__name__}", remedy, field="secrets")
        if not secret.strip():
            raise InvalidArgument("a webhook secret is empty", "anyone could sign with it", field="secrets")
        if secret != secret.strip():
            remedy = "remove spaces and line breaks around it"
            raise InvalidArgument("a webhook secret has invalid characters", remedy, field="secrets")
    return secrets


def checked_tolerance(tolerance: object) -> float:
    """Seconds between two clocks.

    Raises:
        InvalidArgument: it is not a number above 0.
    """
    return checked_seconds("tolerance", tolerance) or TOLERANCE
