"""The bodies of recorded requests, as people may see them.

Rule: a body costs a bounded amount of memory, and is shown without secrets: no query of a URL, which may hold a
signature, and no API key. Only text is kept; of media, only the number of bytes.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

__all__ = ["BLANKED", "MAX_BYTES", "Body", "blank", "blanked"]

MAX_BYTES: Final = 16 * 1024
"""So much of a body is kept. The contract's bodies have a few hundred bytes."""
BLANKED: Final = "<blanked>"
# As deep as `_request_checks` accepts.
_MAX_LEVELS: Final = 100
_URL: Final = re.compile(r"(?:https?|wss?):[^\s\"'<>]+", re.IGNORECASE)
# In JSON that cannot be parsed, `?` may be escaped.
_QUERY: Final = re.compile(r"\?|\\u003f", re.IGNORECASE)
_SECRETS: Final = re.compile(r"(\bBearer\s+|signature=)[^\s\"'<>&]+", re.IGNORECASE)
_TEXTS: Final = ("application/json", "application/problem+json", "application/xml", "text/")


@dataclass
class Body:
    """The beginning of one body, as its bytes come in."""

    media_type: str = ""
    count: int = 0
    _kept: bytearray = field(default_factory=bytearray, repr=False)

    def add(self, chunk: bytes) -> None:
        """Add bytes of the body."""
        self.count += len(chunk)
        if chunk and self.media_type.startswith(_TEXTS):
            self._kept += chunk[: MAX_BYTES - len(self._kept)]

    def as_json(self, token: str) -> dict[str, Any]:
        """Number of bytes, media type, and the body without secrets: `json`, or else its beginning as `text`."""
        about: dict[str, Any] = {"bytes": self.count, "type": self.media_type}
        if not self._kept:
            return about
        text = self._kept.decode(errors="replace")
        if self.count == len(self._kept):
            try:
                return {**about, "json": blanked(json.loads(text, parse_constant=_refuse), token)}
            except (ValueError, RecursionError):
                pass
        return {**about, "text": blank(text, token)}


def blanked(value: Any, token: str, level: int = 0) -> Any:
    """A JSON value without secrets. ValueError if it is nested too deeply to be shown."""
    if level > _MAX_LEVELS:
        raise ValueError(f"it is nested more than {_MAX_LEVELS} levels deep")
    if isinstance(value, str):
        return blank(value, token)
    if isinstance(value, list):
        return [blanked(item, token, level + 1) for item in value]
    if isinstance(value, dict):
        return {blank(key, token): blanked(item, token, level + 1) for key, item in value.items()}
    return value


def blank(text: str, token: str) -> str:
    """A text without secrets, and without what UTF-8 cannot encode."""
    text = _SECRETS.sub(rf"\1{BLANKED}", _URL.sub(_without_query, text))
    if token:
        text = text.replace(token, BLANKED)
    return text.encode(errors="replace").decode()


def _without_query(url: re.Match[str]) -> str:
    place, *query = _QUERY.split(url[0], maxsplit=1)
    return f"{place}?{BLANKED}" if query else place


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
