"""JSON that clients send, read within limits.

Rule: a body costs a bounded amount of memory, and what is not plain, finite JSON is refused with a 4xx before anything
is done with it. Routes of the service and controls read their bodies here and nowhere else.
"""

import json
import math
from typing import Any, Final, NoReturn

from starlette.requests import Request

from ._errors import Refusal

__all__ = ["MOST_BYTES", "read_json"]

# Our own limit: bodies of this API are a prompt and a few names, files go to storage.
MOST_BYTES: Final = 4 * 1024 * 1024
# The contract's bodies are four levels deep; Python's own tools recurse, and give up at about a thousand.
_MOST_LEVELS: Final = 100
# More digits than any number of the contract; larger ones cannot be told apart as JSON numbers anyway (RFC 8259, 6).
_MOST_DIGITS: Final = 20


async def read_json(request: Request, *, may_be_empty: bool = False) -> dict[str, Any]:
    """The object in the request's body. Raises `Refusal` if there is none, or if it is too large."""
    content = await _read(request)
    if may_be_empty and not content:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(400, "invalid_request", "The header Content-Type must be application/json")
    try:
        body: Any = json.loads(content, parse_constant=_not_json, parse_float=_float, parse_int=_int)
        if _is_too_deep(body):
            raise ValueError(f"it is nested more than {_MOST_LEVELS} levels deep")
        json.dumps(body, ensure_ascii=False).encode()  # an unpaired surrogate could not be answered or drawn
    except RecursionError:
        raise Refusal(400, "invalid_request", "The body is not JSON: it is nested too deeply") from None
    except ValueError as malformed:
        raise Refusal(400, "invalid_request", f"The body is not JSON: {malformed}") from malformed
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_request", "The body must be a JSON object")
    return body


async def _read(request: Request) -> bytes:
    too_large = Refusal(413, "payload_too_large", f"The body must have at most {MOST_BYTES} bytes")
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:
        raise too_large
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise too_large
    return bytes(content)


def _is_too_deep(body: Any) -> bool:
    level = [body]
    for _ in range(_MOST_LEVELS):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(text)
