"""How values become JSON and back: every model lists its fields, and this module writes and reads them.

Rule: strict in what is sent, tolerant in what is received. Sending refuses unknown names, missing fields, wrong types
and values outside of the contract's bounds before any request, but never a new value of an enum. Receiving keeps
unknown fields and values, takes any number for a number, and makes a missing, null or unreadable value None (an empty
list where a list is promised). Only fields that a response is useless without must be there and readable, else the
response is `Unreadable`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, TypeVar
from uuid import UUID

from ._contract import MODELS
from .errors import Argument, InvalidArgument, UnknownField
from .redaction import without_secrets
from .scalars import ANY as ANY
from .scalars import ASSET as ASSET
from .scalars import BOOLEAN as BOOLEAN
from .scalars import DATE as DATE
from .scalars import DATETIME as DATETIME
from .scalars import INTEGER as INTEGER
from .scalars import NULL as NULL
from .scalars import NUMBER as NUMBER
from .scalars import STRING as STRING
from .scalars import UUID_STRING as UUID_STRING
from .scalars import Bounds
from .scalars import Kind as Kind
from .scalars import Parsed as Parsed
from .scalars import Scalar as Scalar
from .scalars import Unreadable as Unreadable
from .scalars import Writing as Writing
from .scalars import wrong_type as wrong_type
from .types import UNSET

M = TypeVar("M", bound="Model")


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
        if isinstance(self.item, Object):
            value = [item if isinstance(item, Mapping) else {} for item in value]
        return [self.item.read(item, f"{where}[{n}]") for n, item in enumerate(value)]


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
def _model(name: str) -> type[Model]:
    model: type[Model] = getattr(importlib.import_module(MODELS), name)
    return model


class Object(NamedTuple):
    """An object with a model, which is imported when it is first needed."""

    name: str

    def model(self) -> type[Model]:
        return _model(self.name)

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


def _distance(kind: Kind, value: dict[str, Any] | list[Any]) -> int:
    """How well a kind fits a value: 0 if it was made for it, 1 if it may accept it, 2 if it only lets it pass."""
    if isinstance(value, list):
        return 0 if isinstance(kind, List) else 2
    if isinstance(kind, Object):
        return 0 if all(field.name in value for field in kind.model()._fields if field.required) else 1
    return 1 if isinstance(kind, Map) else 2


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
        known = {}
        for field in self._fields:
            value = getattr(self, field.attribute)
            if value is not UNSET and (value is not None or field.required or field.nullable):
                known[field.name] = _json(value)
        return {**self.additional_properties, **known}


def _json(value: Any) -> Any:
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def shown(value: object) -> str:
    """The `repr` of a field that may hold a signed URL."""
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
        values[field.attribute] = _read_field(field, rest.pop(field.name, None), where)
    made = model(**values)
    made.additional_properties = rest
    return made


def _read_field(field: Field, raw: Any, where: str) -> Any:
    """The value of a field; None, or an empty list, for an optional one that cannot be read."""
    if field.essential and raw in (None, ""):
        raise Unreadable(f"`{where}.{field.name}` is missing")
    try:
        if raw is not None:
            return field.kind.read(raw, f"{where}.{field.name}")
    except Unreadable:
        if field.essential:
            raise
    return [] if field.required and isinstance(field.kind, List) else None


_FIELDS: dict[type[Model], Mapping[str, Field]] = {}


def _fields_by_name(model: type[Model]) -> Mapping[str, Field]:
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
            writing.deprecations[inner, None, field.deprecated] = None
        retired = field.deprecated_values  # asked first: a number may have more digits than `str` writes
        if retired and isinstance(value, (str, int)) and str(value) in retired:
            writing.deprecations[inner, repr(value), retired[str(value)]] = None
    for field in () if writing.partial else model._fields:
        if field.required and field.name not in body:
            raise InvalidArgument("required, but missing", field=prefix + field.attribute)
    return body


def check_given(kind: Object, given: Mapping[str, Any]) -> None:
    """Check the fields that are given, and only those, as sending would."""
    write_fields(kind.model(), given, "", Writing(partial=True))


def unknown_field(prefix: str, key: object, known: Mapping[str, Any]) -> UnknownField:
    """The error for a name that the contract does not know, with the nearest one that it does."""
    import difflib

    hint: tuple[object, ...] = (f"known are {', '.join(sorted(known)) or 'none'};",)
    if near := difflib.get_close_matches(str(key), list(known), n=1):
        hint = ("did you mean ", Argument(prefix + near[0]), "?")
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
