"""Reading the rows of a manifest: lines of JSON or Python objects become key, endpoint and parameters.

Rule: only the form is judged here. An unreadable line is one mistake, and reading continues with the next line.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import attrs

from magic_hour_client._runtime.schema import wrong_type
from magic_hour_client.endpoints import endpoint
from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import Endpoint

from .._formatting import shown
from .._hints import meant
from .._operations import paid
from ..errors import Mistake
from ._rows import Row

NO_KEY = "`key` is missing: give every row a unique one that stays the same when rows move; it names the outputs"


@attrs.frozen
class Entry:
    """One row before it is checked. A key or endpoint of None is missing, which was already reported."""

    line: int
    key: Any
    endpoint: Any
    parameters: Mapping[str, Any]


@attrs.frozen
class Collector:
    """What the readers share: the list of mistakes, and the endpoint of rows that do not name one."""

    endpoint: str | None
    mistakes: list[Mistake] = attrs.field(factory=list)

    def add(self, line: int, key: Any, field: str | None, message: str) -> None:
        """Add a mistake."""
        self.mistakes.append(Mistake(line, key if isinstance(key, str) else None, field, message))

    def entry(self, line: int, given: Mapping[str, Any]) -> Entry:
        """Split a row; its parameters are next to `key` and `endpoint`, or together in `parameters`."""
        rest = {name: value for name, value in given.items() if name not in ("key", "endpoint")}
        key, endpoint = given.get("key"), given.get("endpoint", self.endpoint)
        if key is None:
            self.add(line, None, "key", NO_KEY)
        if endpoint is None:
            self.add(line, key, "endpoint", no_endpoint("row"))
        if isinstance(inner := rest.get("parameters"), Mapping):
            for name in rest.keys() - {"parameters"}:
                self.add(line, key, str(name), f"`{name}` is next to `parameters`; put it inside")
            rest = dict(inner)
        return Entry(line, key, endpoint, rest)


def no_endpoint(part: str) -> str:
    """The message for a missing endpoint."""
    return f"`endpoint` is missing: add a {part} with this name, or pass endpoint=... for all rows"


def from_memory(source: Iterable[Any], found: Collector) -> Iterator[Entry]:
    """The entries of an iterable, numbered from 1."""
    for number, item in enumerate(source, 1):
        if isinstance(item, Row):
            yield Entry(item.line or number, item.key, item.endpoint, item.parameters)
        elif isinstance(item, Mapping):
            yield found.entry(number, item)
        elif isinstance(item, tuple) and len(item) == 3 and isinstance(item[2], Mapping):
            yield Entry(number, *item)
        else:
            message = f"expected a Row, a dict or (key, endpoint, parameters), got {type(item).__name__}"
            found.add(number, None, None, message)


def from_jsonl(path: Path, found: Collector) -> Iterator[Entry]:
    """The entries of a file with one JSON object per line; empty lines are skipped."""
    for number, text in lines(path, found):
        if not text.strip():
            continue
        try:
            given = parsed(text)
        except (ValueError, RecursionError) as error:
            found.add(number, None, None, f"invalid JSON: {error}")
            continue
        if isinstance(given, dict):
            yield found.entry(number, given)
        else:
            message = f'expected an object on one line, such as {{"key": "fox", ...}}, got {type(given).__name__}'
            found.add(number, None, None, message)


def parsed(text: str) -> Any:
    """The value of a JSON text, read more strictly than usual.

    Raises:
        ValueError: it is not JSON, contains NaN or Infinity, or has a duplicate name.

    Example:
        >>> parsed('{"seed": 1, "seed": 2}')
        Traceback (most recent call last):
        ...
        ValueError: "seed" is duplicated
    """
    return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{json.dumps(name)} is duplicated")
        found[name] = value
    return found


def lines(path: Path, found: Collector) -> Iterator[tuple[int, str]]:
    """The numbered lines of a UTF-8 file, with or without a byte order mark."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    found.add(1, None, None, "the file is UTF-16; save it as UTF-8")
                    return
                raw = raw.removeprefix(codecs.BOM_UTF8)
            yield number, _text(number, raw, found)


def _text(number: int, raw: bytes, found: Collector) -> str:
    """A line as text. A mistake is reported once; the readable rest is still checked."""
    if b"\0" in raw:
        found.add(number, None, None, "it contains a NUL byte; save the file as UTF-8 text")
        raw = raw.replace(b"\0", b"")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        message = f"it is not UTF-8 (byte 0x{raw[error.start]:02x} at offset {error.start}); save the file as UTF-8"
        found.add(number, None, None, message)
        return raw.decode(errors="replace")


RESERVED: Mapping[str, str] = {
    "download_directory": "all outputs go to one directory: Batch(output=...) or --output DIR",
    "output_name": "outputs are named after the key of their row",
    "wait_for_completion": "a batch waits for every job",
    "download_outputs": "a batch saves every output",
    "timeout": "it applies to all rows: Batch(timeout=...) or --timeout",
    "poll_interval": "it applies to all rows: Batch(poll_interval=...) or --poll-interval",
    "on_progress": "there is one listener for all rows: Batch(on_event=...)",
}
"""Options of `generate` that a row cannot have, and what to use instead."""


@cache
def endpoint_names() -> Mapping[str, str]:
    """Every accepted name of every endpoint that charges credits, with its resource."""
    known: dict[str, str] = {}
    for name, operation in paid().items():
        short = name.split(".")[1]
        known |= dict.fromkeys((short, short.replace("_", "-"), name, operation["path"]), short)
    return known


def resource(name: object) -> str:
    """The resource with this name.

    Raises:
        InvalidArgument: there is none.

    Example:
        >>> resource("/v1/ai-image-generator"), resource("ai-image-generator"), resource("v1.ai_image_generator.create")
        ('ai_image_generator', 'ai_image_generator', 'ai_image_generator')
    """
    if not isinstance(name, str):
        raise wrong_type("endpoint", "a string", name)
    if name not in endpoint_names():
        known = dict.fromkeys(endpoint_names().values())
        hint = meant(name, known) or f"use one of {', '.join(known)}"
        raise InvalidArgument(f"{shown(name)} is unknown", hint, field="endpoint")
    return endpoint_names()[name]


@cache
def endpoint_of(resource: str) -> Endpoint[..., Any]:
    """The endpoint behind a resource."""
    return endpoint(next(name for name in paid() if name.split(".")[1] == resource))


def reserved_option(name: str) -> InvalidArgument:
    """The error for an option of `generate` in a row."""
    return InvalidArgument("not allowed in a row", RESERVED[name], field=name)
