"""The contract's schemas: bodies and queries that they allow, and in which words others are refused.

Rule: messages name the field and the limit; they never repeat the body.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

from ._request_checks import Refusal

__all__ = ["BodyCheck", "QueryCheck"]


def _multiple_of(_: Any, step: float, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(InvalidOperation):  # the quotient has more digits than the decimal context allows
            if not Decimal(str(value)) % Decimal(str(step)):  # as floats, 0.29 is not a multiple of 0.01
                return
        yield ValidationError(f"{value!r} is not a multiple of {step}")


def _properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    yield from Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)
    for name, inner in properties.items() if isinstance(instance, dict) else ():
        if "x-before" in inner:
            row = inner["x-before"] if isinstance(inner["x-before"], dict) else {"field": inner["x-before"]}
            yield from _out_of_order(name, row, instance)


def _out_of_order(first: str, row: dict[str, Any], instance: dict[str, Any]) -> Iterator[ValidationError]:
    """The contract's own keyword: one number comes before another, within limits."""
    start, end = instance.get(first, 0), instance.get(row["field"])
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in (start, end)):
        return  # what it is instead, `type` says
    apart = Decimal(str(end)) - Decimal(str(start))
    if apart <= 0 or not row.get("at_least", 0) <= apart <= row.get("at_most", math.inf):
        limits = "".join(f", by {words} {row[key]}" for key, words in _LIMITS.items() if key in row)
        yield ValidationError(f"must be after {first}{limits}", validator="x-before", path=(row["field"],))


def _format(_: Any, name: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if name == "uri" and isinstance(value, str) and not _URI.fullmatch(value):
        yield ValidationError(f"{value!r} is not a URI")


# Enough to tell a URL from a word: a scheme, then none of what RFC 3986 leaves out.
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f-\U0010ffff\"<>\\^`{|}]+")
_LIMITS: Final = {"at_least": "at least", "at_most": "at most"}
_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"format": _format, "multipleOf": _multiple_of, "properties": _properties}
)

# What each keyword of the schema asks for; the name of the field comes before it.
_MESSAGES: Final = {
    "minLength": "must not be shorter than {limit} character(s)",
    "maxLength": "must have at most {limit} characters",
    "minItems": "must have at least {limit} item(s)",
    "maxItems": "must have at most {limit} items",
    "minimum": "must be {limit} or more",
    "maximum": "must be {limit} or less",
    "multipleOf": "must be in steps of {limit}",
    "pattern": "must match {limit}",
    "format": "must be a {limit}",
}


class BodyCheck:
    """Validates the bodies of one operation."""

    def __init__(self, schema: dict[str, Any], registry: Registry[Any]) -> None:
        self._validator = _Validator(schema, registry=registry)

    def problem(self, body: Any) -> str | None:
        """Everything that is wrong with `body`, by field, in one line; None if it is valid."""
        errors = sorted(self._validator.iter_errors(body), key=lambda error: list(map(str, error.absolute_path)))
        return "; ".join(dict.fromkeys(map(_describe, errors))) or None


class QueryCheck:
    """Reads the query of one operation: integers as integers, with the contract's defaults, within its bounds."""

    def __init__(self, schemas: Mapping[str, dict[str, Any]], registry: Registry[Any]) -> None:
        self._schemas = schemas
        self._checks = {
            name: _Validator({"type": "object", "properties": {name: schema}}, registry=registry)
            for name, schema in self._schemas.items()
        }

    def values(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The values of a query; unknown names are ignored. Raises `Refusal` if one is wrong."""
        values = {name: schema["default"] for name, schema in self._schemas.items() if "default" in schema}
        for name in self._schemas.keys() & query.keys():
            values[name] = _number(query[name]) if self._schemas[name].get("type") == "integer" else query[name]
            errors = [_describe(error) for error in self._checks[name].iter_errors({name: values[name]})]
            if errors:
                raise Refusal(422, "unprocessable_entity", "; ".join(errors))
        return values


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        return text


def _describe(error: ValidationError) -> str:
    field = _field(error)
    limit: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            return "; ".join(f"{_join(field, name)} is required" for name in limit if name not in given)
        case "anyOf" | "oneOf" if all(inner.validator == "required" for inner in error.context):
            names = [_join(field, name) for inner in error.context for name in _names(inner)]
            return f"{' or '.join(names)} is required"
        case "anyOf" | "oneOf":
            return _describe(error.context[-1])
        case "type":
            return f"{field} must be {_types(limit)}"
        case "enum":
            return f"{field} must be one of {', '.join(map(str, limit))}"
        case "x-before":
            return f"{field} {error.message}"
        case keyword:
            message = _MESSAGES.get(str(keyword), f"violates `{keyword}` of the contract")
            return f"{field} {message.format(limit=limit)}"


def _field(error: ValidationError) -> str:
    text = ""
    for part in error.absolute_path:
        text = f"{text}[{part}]" if isinstance(part, int) else _join(text, str(part))
    return text


def _names(missing: ValidationError) -> list[str]:
    value: Any = missing.validator_value
    return [str(name) for name in value]


def _join(parent: str, name: str) -> str:
    return f"{parent}.{name}" if parent else name


def _types(limit: Any) -> str:
    names = [limit] if isinstance(limit, str) else list(limit)
    return " or ".join(f"an {name}" if name[0] in "aeio" else f"a {name}" for name in names)
