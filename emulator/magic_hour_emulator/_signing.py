"""Storage URLs that are their own permission: signed for one method and one path, and good for a limited time.

Rule: a URL that was not signed here, was changed, or has expired opens nothing.
"""

import hashlib
import hmac
import math
import secrets
from collections.abc import Mapping
from urllib.parse import quote

from ._clock import Clock

__all__ = ["Signer"]


class Signer:
    """Signs URLs with a key that lives as long as the emulator."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def sign(self, origin: str, method: str, path: str, lifetime: float) -> tuple[str, float]:
        """A URL for `method` on `path`, good for `lifetime` seconds, and the instant at which it expires."""
        expires = math.ceil(self._clock.now() + lifetime)
        return f"{origin}{quote(path)}?expires={expires}&signature={self._signature(method, path, expires)}", expires

    def objection(self, method: str, path: str, query: Mapping[str, str]) -> str | None:
        """Why the URL does not permit `method` on `path`, or None if it does. HEAD may use a URL made for GET."""
        method = "GET" if method == "HEAD" else method
        given = query.get("signature", "")
        try:
            expires = int(query.get("expires", ""))
        except ValueError:
            return "The URL is not signed."
        if not hmac.compare_digest(given.encode(), self._signature(method, path, expires).encode()):
            return "The signature does not match the method and path of this request."
        if self._clock.now() >= expires:
            return "The URL has expired."
        return None

    def _signature(self, method: str, path: str, expires: int) -> str:
        message = f"{method}\n{path}\n{expires}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
