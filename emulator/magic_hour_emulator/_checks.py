"""Request bodies held against their JSON Schema, with messages that a caller can act on.

Rule: the message names the field and the limit; it never repeats the whole body, as jsonschema's own messages do.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

__all__ = ["BodyCheck"]


def _multiple_of(_: Any, step: float, value: Any, __: Any) -> Iterator[ValidationError]:
    # In decimal: as floats, 0.29 is not a multiple of 0.01.
    if isinstance(value, int | float) and not isinstance(value, bool) and not _fits(Decimal(str(value)), step):
        yield ValidationError(f"{value!r} is not a multiple of {step}")


def _fits(value: Decimal, step: float) -> bool:
    try:
        return not value % Decimal(str(step))
    except InvalidOperation:  # the quotient has more digits than decimals are kept with
        return False


_Validator = extend(Draft202012Validator, {"multipleOf": _multiple_of})  # type: ignore[no-untyped-call]


class BodyCheck:
    """One body's schema, ready to be applied."""

    def __init__(self, schema: dict[str, Any], registry: Registry[Any]) -> None:
        self._validator = _Validator(schema, registry=registry)

    def problem(self, body: Any) -> str | None:
        """Everything that is wrong with `body`, by field, in one line; None if nothing is."""
        errors = sorted(self._validator.iter_errors(body), key=_place)
        return "; ".join(dict.fromkeys(map(_describe, errors))) or None


def _place(error: ValidationError) -> list[str]:
    return [str(part) for part in error.absolute_path]


# What each keyword of the schema asks for; the field's name goes before it.
_MESSAGES: Final = {
    "minLength": "must not be shorter than {limit} character(s)",
    "maxLength": "must have at most {limit} characters",
    "minItems": "must have at least {limit} item(s)",
    "maxItems": "must have at most {limit} items",
    "minimum": "must be {limit} or more",
    "maximum": "must be {limit} or less",
    "multipleOf": "must be in steps of {limit}",
    "pattern": "must match {limit}",
}


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
        case keyword:
            message = _MESSAGES.get(str(keyword), f"does not fulfil `{keyword}` of the contract")
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
