"""No cookies: who calls is told by the key, and nothing else is kept from one answer for the next request.

Rule: an answer's cookies are not even looked at; looking for them is about a twentieth of the work of a request.
"""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any


class NoCookies(CookieJar):
    """A jar in which nothing is put."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave them where they are."""
