"""How values become JSON and back: every model lists its fields, and this module writes and reads them.

Rule: strict in what is sent, tolerant in what is received. Sending refuses unknown names, missing fields, wrong types
and values outside of the contract's bounds before any request, but never a new value of an enum. Receiving keeps
unknown fields and values, takes any number for a number, and makes a missing, null or unreadable value None (an empty
list where a list is promised). Only fields that a response is useless without must be there and readable, else the
response is `Unreadable`.
"""

from __future__ import annotations

import importlib
import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from types import MappingProxyType, NoneType
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar
from uuid import UUID

from ._contract import MODELS
from .errors import Argument, InvalidArgument, UnknownField
from .redaction import without_secrets
from .types import UNSET, Placeholder

M = TypeVar("M", bound="Model")


class Unreadable(ValueError):
    """A response that does not have the shape the contract promises."""


class Writing:
    """What was found while a body was written, besides the JSON itself.

    Args:
        partial: True to check only the fields that are given; others may be missing.
    """

    def __init__(self, *, partial: bool = False) -> None:
        self.deprecations: list[tuple[str, str | None, str]] = []
        self.partial = partial

    def deprecated(self, where: str, value: str | None, remedy: str) -> None:
        if (where, value, remedy) not in self.deprecations:
            self.deprecations.append((where, value, remedy))


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
        """Refuse a value of this size if it is out of bounds.

        Raises:
            InvalidArgument: it is.
        """
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


class List(NamedTuple):
    """An array of one kind."""

    item: Kind
    bounds: Bounds | None = None

    def within(self, **bounds: float) -> List:
        """The same kind with bounds of its length."""
        return self._replace(bounds=Bounds(**bounds, unit="item"))

    def write(self, value: Any, where: str, writing: Writing) -> Any:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
            raise wrong_type(where, "a list", value)
        if self.bounds is not None:
            self.bounds.check(len(value), where)
        return [self.item.write(item, f"{where}[{n}]", writing) for n, item in enumerate(value)]

    def read(self, value: Any, where: str) -> Any:
        if not isinstance(value, list):
            raise Unreadable(f"`{where}` is not a list")
        # An item that is not an object becomes an empty one, so that the good ones beside it keep their places.
        of_objects = isinstance(self.item, Object)
        return [
            self.item.read({} if of_objects and not isinstance(item, Mapping) else item, f"{where}[{n}]")
            for n, item in enumerate(value)
        ]


class Map(NamedTuple):
    """An object with any keys and values of one kind."""

    item: Kind

    def write(self, value: Any, where: str, writing: Writing) -> Any:
        if not isinstance(value, Mapping):
            raise wrong_type(where, "a dict", value)
        return {str(key): self.item.write(item, f"{where}.{key}", writing) for key, item in value.items()}

    def read(self, value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise Unreadable(f"`{where}` is not an object")
        return {key: self.item.read(item, f"{where}.{key}") for key, item in value.items()}


@cache
def _model(module: str, name: str) -> type[Model]:
    model: type[Model] = getattr(importlib.import_module(f"{MODELS}.{module}"), name)
    return model


class Object(NamedTuple):
    """An object with a model, which is imported when it is first needed."""

    module: str
    name: str

    def model(self) -> type[Model]:
        return _model(self.module, self.name)

    def write(self, value: Any, where: str, writing: Writing) -> Any:
        model = self.model()
        if isinstance(value, model):
            return {**value.additional_properties, **write_fields(model, vars_of(value), where, writing)}
        if not isinstance(value, Mapping):
            raise wrong_type(where, f"a dict or {self.name}", value)
        return write_fields(model, value, where, writing)

    def read(self, value: Any, where: str) -> Any:
        return read_model(self.model(), value, where)


class Union(NamedTuple):
    """One of several kinds: the first that accepts the value."""

    kinds: tuple[Kind, ...]

    def write(self, value: Any, where: str, writing: Writing) -> Any:
        error: InvalidArgument | None = None
        for kind in self.kinds:
            try:
                return kind.write(value, where, writing)
            except InvalidArgument as refused:
                # An unknown key says more about the mistake than "expected a string".
                error = refused if error is None or isinstance(refused, UnknownField) else error
        raise error or wrong_type(where, "a known value", value)

    def read(self, value: Any, where: str) -> Any:
        error: Unreadable | None = None
        nested = isinstance(value, (dict, list))
        for kind in sorted(self.kinds, key=lambda kind: _distance(kind, value)) if nested else self.kinds:
            try:
                result = kind.read(value, where)
            except Unreadable as unreadable:
                error = unreadable
            else:
                if result is not None:
                    return result
        if error is not None and nested:
            raise error
        return value


def _distance(kind: Kind, value: Any) -> int:
    """How well a kind fits a value: 0 if it was made for it, 1 if it may accept it, 2 if it only lets it pass."""
    if isinstance(value, dict):
        if isinstance(kind, Object):
            return 0 if all(field.name in value for field in kind.model()._fields if field.required) else 1
        return 1 if isinstance(kind, Map) else 2
    if isinstance(value, list):
        return 0 if isinstance(kind, List) else 2
    return 0


def wrong_type(where: str, noun: str, value: Any) -> InvalidArgument:
    shown = f" {value!r}" if isinstance(value, (int, float)) else ""
    return InvalidArgument(f"expected {noun}, got {type(value).__name__}{shown}", field=where)


def _check_writable(value: object, where: str) -> None:
    """Refuse what JSON cannot say, so that writing the whole body cannot fail once its files are uploaded."""
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


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _anything(value: Any) -> Any:
    return value


def _null(value: Any) -> None:
    if value is not None:
        raise TypeError


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


STRING = Scalar("a string", _string)
ASSET = Scalar("a string", _asset)
"""The path of an input file in storage, or its placeholder."""
INTEGER = Scalar("an integer", _integer)
NUMBER = Scalar("a number", _number)
BOOLEAN = Scalar("True or False", _boolean)
NULL = Scalar("None", _null)
ANY = Scalar("anything", _anything)
DATE = Parsed("a date", date, date.fromisoformat, date.isoformat)
DATETIME = Parsed("a datetime", datetime, _moment, datetime.isoformat)
UUID_STRING = Parsed("a UUID", UUID, UUID, str)


class Field(NamedTuple):
    """One field of a model: its name in JSON, its attribute, its kind, and what the contract says of it."""

    name: str
    attribute: str
    kind: Kind
    required: bool = False
    nullable: bool = False
    essential: bool = False
    deprecated: str | None = None
    deprecated_values: Mapping[str, str] = MappingProxyType({})


class Model:
    """The base of all models: attrs classes that know their fields."""

    __slots__ = ()
    _fields: ClassVar[tuple[Field, ...]] = ()
    _extra: ClassVar[Kind | None] = None
    additional_properties: dict[str, Any]

    @classmethod
    def from_dict(cls: type[M], source: Mapping[str, Any]) -> M:
        """Read a JSON object of the service; unknown fields are kept in `additional_properties`."""
        return read_model(cls, source, cls.__name__)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object for this model, unknown fields included."""
        known = {field.name: _plain(getattr(self, field.attribute), field) for field in self._fields}
        return {**self.additional_properties, **{name: value for name, value in known.items() if value is not UNSET}}


def _plain(value: Any, field: Field) -> Any:
    if value is None and not (field.required or field.nullable):
        return UNSET
    return _json(value)


def _json(value: Any) -> Any:
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def shown(value: object) -> str:
    """The repr of a field that may hold a signed URL."""
    return without_secrets(repr(value))


def vars_of(model: Model) -> dict[str, Any]:
    """The given fields of a model, by attribute."""
    return {field.attribute: getattr(model, field.attribute) for field in model._fields}


def read_model(model: type[M], source: Any, where: str) -> M:
    if not isinstance(source, Mapping):
        raise Unreadable(f"`{where}` is not an object")
    rest = dict(source)
    values: dict[str, Any] = {}
    for field in model._fields:
        raw = rest.pop(field.name, None)
        absent = raw is None and not field.essential
        values[field.attribute] = _nothing(field) if absent else read_field(field, raw, f"{where}.{field.name}")
    made = model(**values)
    made.additional_properties = rest
    return made


def read_field(field: Field, raw: Any, where: str) -> Any:
    """The value of a field; None, or an empty list, for an optional one that cannot be read."""
    if field.essential and raw in (None, ""):
        raise Unreadable(f"`{where}` is missing")
    try:
        if raw is not None:
            return field.kind.read(raw, where)
    except Unreadable:
        if field.essential:
            raise
    return _nothing(field)


def _nothing(field: Field) -> Any:
    """What stands for a value that is not there."""
    return [] if field.required and isinstance(field.kind, List) else None


_FIELDS: dict[type[Model], Mapping[str, Field]] = {}


def _fields_by_name(model: type[Model]) -> Mapping[str, Field]:
    """The fields of a model by attribute and by name on the wire."""
    if model not in _FIELDS:
        by_attribute = {field.attribute: field for field in model._fields}
        _FIELDS[model] = by_attribute | {field.name: field for field in model._fields}
    return _FIELDS[model]


def write_fields(model: type[Model], given: Mapping[str, Any], where: str, writing: Writing) -> dict[str, Any]:
    """The JSON object for `given`, which may name a field by its attribute or by its name in JSON."""
    fields = _fields_by_name(model)
    prefix = f"{where}." if where else ""
    body: dict[str, Any] = {}
    for key, value in given.items():
        field = fields.get(key)
        if field is None:
            if model._extra is None:
                raise unknown_field(prefix, key, fields)
            body[str(key)] = model._extra.write(value, f"{prefix}{key}", writing)
            continue
        if value is UNSET or (value is None and not field.nullable):
            continue
        inner = prefix + field.attribute
        body[field.name] = None if value is None else field.kind.write(value, inner, writing)
        if field.deprecated is not None:
            writing.deprecated(inner, None, field.deprecated)
        retired = field.deprecated_values  # asked first: a number may have more digits than `str` writes
        if retired and isinstance(value, (str, int)) and str(value) in retired:
            writing.deprecated(inner, repr(value), field.deprecated_values[str(value)])
    for field in () if writing.partial else model._fields:
        if field.required and field.name not in body:
            inner = prefix + field.attribute
            raise InvalidArgument("required, but missing", field=inner)
    return body


def check_given(kind: Object, given: Mapping[str, Any]) -> None:
    """Check the fields that are given, and only those, as sending would.

    Raises:
        InvalidArgument: naming the field and what it may be.
    """
    write_fields(kind.model(), given, "", Writing(partial=True))


def unknown_field(prefix: str, key: object, known: Mapping[str, Any]) -> UnknownField:
    """The error for a name that the contract does not know, with the nearest one that it does."""
    import difflib

    near = difflib.get_close_matches(str(key), list(known), n=1)
    hint = (
        ("did you mean ", Argument(prefix + near[0]), "?")
        if near
        else (f"known are {', '.join(sorted(known)) or 'none'};",)
    )
    remedy = (*hint, " ", Argument("extra_body"), " sends fields that the contract lacks")
    return UnknownField("not a field of the contract", remedy, field=f"{prefix}{key}")


def merged(body: Any, extra: Mapping[str, Any] | None) -> Any:
    """`body` with `extra` put over it, object by object; neither is changed."""
    if extra is None:
        return body
    if not isinstance(extra, Mapping):
        raise wrong_type("extra_body", "a dict", extra)
    result = dict(body) if isinstance(body, Mapping) else {}
    for key, value in extra.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result
