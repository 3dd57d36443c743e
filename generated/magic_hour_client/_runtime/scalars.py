"""Kinds of values, and those that have no others inside: text, numbers, dates. How each is written and read.

Rule: what is written can be written as JSON, so that writing the whole body cannot fail once its files are uploaded.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from datetime import UTC, date, datetime
from types import NoneType
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import attrs

from .errors import InvalidArgument
from .types import Placeholder


class Unreadable(ValueError):
    """A response that does not have the shape the contract promises."""


@attrs.define(kw_only=True)
class Writing:
    """What was found while a body was written, besides the JSON itself."""

    partial: bool = False
    """Whether only the fields that are given are checked; others may be missing."""
    deprecations: dict[tuple[str, str | None, str], None] = attrs.field(factory=dict)
    """Field, value and remedy, each once."""


class Kind(Protocol):
    """One kind of value: how it is written into a request and read from a response."""

    def write(self, value: Any, where: str, writing: Writing) -> Any: ...

    def read(self, value: Any, where: str) -> Any: ...


_LONGEST_SHOWN = 10**21
"""Larger numbers are not shown: Python refuses to print integers of some thousand digits."""


class Bounds(NamedTuple):
    """The bounds of a number, or of the length of a string or list."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    unit: str = ""

    def check(self, size: float, where: str) -> None:
        """Raise InvalidArgument if a value of this size is out of bounds."""
        within = (self.least is None or size >= self.least) and (self.most is None or size <= self.most)
        if within and (self.above is None or size > self.above) and (self.below is None or size < self.below):
            return
        if self.unit and size == 0:
            raise InvalidArgument("must not be empty", f"give {self}", field=where)
        verb = "must have" if self.unit else "must be"
        got = f"{size:,}" if abs(size) < _LONGEST_SHOWN else "a number with more digits than can be shown"
        raise InvalidArgument(f"{verb} {self}, got {got}", field=where)

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            told = f"{'' if self.unit else 'from '}{self.least:,} to {self.most:,}"
        else:
            known = {"at least": self.least, "at most": self.most, "more than": self.above, "less than": self.below}
            told = " and ".join(f"{words} {bound:,}" for words, bound in known.items() if bound is not None)
        return f"{told} {self.unit}{'' if told.endswith(' 1') else 's'}" if self.unit else told


class Scalar(NamedTuple):
    """A value that JSON has a type for."""

    noun: str
    convert: Callable[[Any], Any]
    bounds: Bounds | None = None

    def within(self, **bounds: float) -> Scalar:
        """The same kind with bounds: of the number, or of the length of the string."""
        return self._replace(bounds=Bounds(**bounds, unit="character" if self.noun == "a string" else ""))

    def write(self, value: Any, where: str, writing: Writing) -> Any:
        try:
            written = self.convert(value)
        except (TypeError, ValueError, OverflowError):
            raise wrong_type(where, self.noun, value) from None
        if self.bounds is not None and not isinstance(written, Placeholder):
            size: Any = len(written) if isinstance(written, str) else written
            self.bounds.check(size, where)
        if not isinstance(written, (bool, float, Placeholder, NoneType)):
            _check_writable(written, where)
        return written

    def read(self, value: Any, where: str) -> Any:
        return value


class Parsed(NamedTuple):
    """A value that is a string in JSON and has a type of its own in Python."""

    noun: str
    type: type
    parse: Callable[[str], Any]
    format: Callable[[Any], str]

    def write(self, value: Any, where: str, writing: Writing) -> Any:
        if isinstance(value, str):
            _check_writable(value, where)
            return value
        if not isinstance(value, self.type):
            raise wrong_type(where, self.noun, value)
        return self.format(value)

    def read(self, value: Any, where: str) -> Any:
        try:
            return self.parse(value)
        except (TypeError, ValueError, AttributeError):
            return None


def wrong_type(where: str, noun: str, value: Any) -> InvalidArgument:
    shown = f" {value!r}" if isinstance(value, (int, float)) else ""
    return InvalidArgument(f"expected {noun}, got {type(value).__name__}{shown}", field=where)


def _check_writable(value: object, where: str) -> None:
    """Raise InvalidArgument for what JSON cannot say."""
    if isinstance(value, str) and value.isascii():
        return
    if isinstance(value, int) and abs(value) < _LONGEST_SHOWN:
        return
    try:
        (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(value, int):
            raise InvalidArgument("too large to be sent", "give a smaller number", field=where) from None
        raise InvalidArgument(f"it cannot be written as JSON: {error}", field=where) from None


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str.__str__(value)


def _asset(value: Any) -> str | Placeholder:
    return value if isinstance(value, Placeholder) else _string(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, float):
        if not value.is_integer():
            raise TypeError
        return int(value)
    return operator.index(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):  # float() would take text too
        raise TypeError
    if isinstance(value, int):
        return value
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _only(kind: type) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError
        return value

    return checked


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


STRING = Scalar("a string", _string)
ASSET = Scalar("a string", _asset)
"""The path of an input file in storage, or its placeholder."""
INTEGER = Scalar("an integer", _integer)
NUMBER = Scalar("a number", _number)
BOOLEAN = Scalar("True or False", _only(bool))
NULL = Scalar("None", _only(NoneType))
ANY = Scalar("anything", lambda value: value)
DATE = Parsed("a date", date, date.fromisoformat, date.isoformat)
DATETIME = Parsed("a datetime", datetime, _moment, datetime.isoformat)
UUID_STRING = Parsed("a UUID", UUID, UUID, str)
