"""What was probably meant: hints for misspelt names, and for values that are not on a list of the contract.

Rule: a hint refuses nothing. Lists such as the models grow faster than this package, so a value that is on none is
sent as it is; only if the service refuses it, the error says what it may have been meant to be.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from magic_hour_client.errors import APIError
from magic_hour_client.types import Request

_WRONG_VALUE = (400, 404, 422)
"""The statuses with which the service refuses a value (error table of its documentation)."""


def nearest(given: str, known: Iterable[object]) -> str | None:
    """The known name most similar to the given one, ignoring case, hyphens and underscores; None if none is similar.

    >>> nearest("Nano_Bananna", ["nano-banana", "seedream-v4"]), nearest("of-tomorrow", ["nano-banana"])
    ('nano-banana', None)
    """
    plain = {_plain(str(name)): str(name) for name in known}
    near = difflib.get_close_matches(_plain(given), plain, 1)
    return plain[near[0]] if near else None


def meant(given: str, known: Iterable[object]) -> str | None:
    """The same as a question for the end of a message."""
    near = nearest(given, known)
    return f"did you mean {near}?" if near else None


def unlisted(operation: str, values: Mapping[str, Any]) -> list[str]:
    """A question for each value of a field that is similar to a known one, but is not known."""
    from ._operations import operations

    body = operations().get(operation, {}).get("body")
    return [] if body is None else list(_unlisted(body, values, ""))


@contextmanager
def hinting(request: Request[Any]) -> Iterator[None]:
    """Add to a refusal of the service which value may be misspelt."""
    try:
        yield
    except APIError as error:
        if error.status in _WRONG_VALUE and (questions := unlisted(request.name, request.body)):
            error.advise(" ".join(questions))
        raise


def _unlisted(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    from ._operations import resolved

    whole = resolved(schema)
    parts = [whole, *(resolved(part) for key in ("anyOf", "oneOf", "allOf") for part in whole.get(key, []))]
    if isinstance(value, Mapping):
        for part in parts:
            for name, inner in part.get("properties", {}).items():
                yield from _unlisted(inner, value.get(name), f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unlisted(whole.get("items", {}), item, f"{where}[{number}]")
    elif isinstance(value, str):
        known = tuple(choice for part in parts for choice in part.get("enum", []))
        if value not in known and (question := _asked(value, known)):
            yield f"`{where}`: {question}"


@lru_cache
def _asked(given: str, known: tuple[object, ...]) -> str | None:
    return meant(given, known)  # remembered: ten thousand rows of a batch have the same mistake


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
