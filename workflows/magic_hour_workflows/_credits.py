"""What a call will cost, before it is made, from the prices in the contract.

Rule: an estimate is never wrong, only wide. A row of the price list counts unless a given field contradicts it; what
the contract does not say, the estimate does not say either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from magic_hour_client._runtime.schema import Model, Object, check_given, merged, unknown_field, vars_of
from magic_hour_client.endpoints import endpoint
from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import Endpoint

from ._formatting import shown
from ._hints import meant, nearest
from ._operations import paid
from ._results import LARGEST_NUMBER, plain_number

_OF_A_ROW = ("price", "up_to", "at_least")
"""What a row of the price list says besides the values of fields."""


@attrs.frozen
class Estimate:
    """How many credits a call will cost.

    Attributes:
        credits: the least it costs.
        at_most: the most it costs; None if the contract only knows the lowest price, or none at all.
        highest: the credits at the highest price that the contract names for the call, which a budget counts; None if
            its price is not documented.

    Example:
        >>> print(Estimate(50), Estimate(20, 24), Estimate(20, None), sep=", ")
        50 credits, 20 to 24 credits, at least 20 credits
    """

    credits: int
    at_most: int | None = attrs.field(default=attrs.Factory(lambda self: self.credits, takes_self=True))
    highest: int | None = attrs.field(
        default=attrs.Factory(lambda self: self.credits if self.at_most is None else self.at_most, takes_self=True),
        repr=False,
    )

    @property
    def at_least(self) -> bool:
        """Whether it may cost more than the contract says."""
        return self.at_most is None

    def to_dict(self) -> dict[str, Any]:
        """The estimate as JSON."""
        known = {"credits": self.credits, "at_most": self.at_most, "at_least": self.at_least}
        return {**known, "documented": self.highest is not None}

    def __str__(self) -> str:
        return credits_text(self.credits, self.at_most, documented=self.highest is not None)


NOT_DOCUMENTED = Estimate(0, None, None)
"""For a call whose price the contract does not have."""


def credits_text(credits: int, at_most: int | None, *, documented: bool = True) -> str:
    """A number of credits in words."""
    if not documented:
        return "an unknown number of credits: the price is not documented"
    if at_most is None:
        return f"at least {credits:,} credits"
    return f"{credits:,} credits" if at_most == credits else f"{credits:,} to {at_most:,} credits"


def estimate_credits(operation: str, **parameters: Any) -> Estimate:
    """Estimate what a call will cost. Nothing is sent.

    Args:
        operation: the resource, such as `ai_image_generator`, or the whole name of its `create`.
        parameters: those of `create` or `generate`. Those that the price does not depend on may be left out.

    Raises:
        InvalidArgument: there is no such operation, a field is misspelt or outside of the contract's bounds, or a
            number that the price depends on is missing.

    Example:
        >>> estimate_credits("ai_image_generator", image_count=4, model="nano-banana", style={"prompt": "A red fox"})
        Estimate(credits=200, at_most=None)
        >>> estimate_credits("ai_talking_photo", start_seconds=0, end_seconds=2.5)
        Estimate(credits=120, at_most=120)
    """
    priced = paid()
    name = operation if operation in priced else f"v1.{operation}.create"
    if name not in priced:
        known = [key.split(".")[1] for key in priced]
        hint = meant(str(operation), known) or f"give one of the {len(known)} that do, such as {known[0]}"
        raise InvalidArgument(f"{shown(operation)} is no operation that costs credits", hint, field="operation")
    priced_endpoint = endpoint(name)
    extra_body = parameters.pop("extra_body", None)
    if isinstance(priced_endpoint.body, Object):
        check_given(priced_endpoint.body, _without_files(priced_endpoint, parameters))
    return estimate(priced_endpoint, merged(parameters, extra_body))


def estimate(endpoint: Endpoint[..., Any], parameters: Mapping[str, Any]) -> Estimate:
    """The estimate for the parameters of an endpoint."""
    if not endpoint.charges_credits:
        return Estimate(0)
    table = endpoint.prices
    if not table:
        return NOT_DOCUMENTED
    default = table.get("default", {})
    rows = [row for row in table["prices"] if _fits(row, parameters, default)]
    quantity = table.get("quantity", {})
    amount = _quantity(quantity, parameters, default)
    named = rows or table["prices"]  # a value without a row costs at least the lowest price of all
    low = _exact(min(row["price"] for row in named)) * amount
    high = _exact(max(row.get("up_to", row["price"]) for row in named)) * amount
    if high > LARGEST_NUMBER:
        raise _too_many(_fields_of(quantity)[-1])
    most = math.ceil(high)
    is_open = not rows or table.get("at_least") or any(row.get("at_least") for row in rows)
    least = math.ceil(low) if table.get("round") == "up" else math.floor(low)
    return Estimate(least, None if is_open else most, most)


def _fits(row: Mapping[str, Any], parameters: Mapping[str, Any], default: Mapping[str, Any]) -> bool:
    """Whether no given value contradicts a row of the price list."""
    for name, wanted in row.items():
        if name in _OF_A_ROW:
            continue
        value = _given(parameters, name, default)
        if value is not None and not any(
            _same(value, each) for each in (wanted if isinstance(wanted, list) else [wanted])
        ):
            return False
    return True


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _same(one: Any, other: Any) -> bool:
    """Equality in JSON, where true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _given(parameters: Mapping[str, Any], name: str, default: Mapping[str, Any]) -> Any:
    value = _at(parameters, name)
    return default.get(name) if value is None else value


def _without_files(endpoint: Endpoint[..., Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to check, without those for files: they take whatever `generate` takes, and cost nothing."""
    for name in parameters:
        if name not in endpoint.fields and nearest(name, endpoint.fields):  # others are options of `generate`
            raise unknown_field("", name, dict.fromkeys(endpoint.fields))
    files = {field.path[0] for field in endpoint.assets}
    return {name: value for name, value in parameters.items() if name in endpoint.fields and name not in files}


def _quantity(rule: Mapping[str, Any], parameters: Mapping[str, Any], default: Mapping[str, Any]) -> Decimal:
    """The number of units that are paid for."""

    def number(name: str, otherwise: float | None = None) -> Decimal:
        return _number(_given(parameters, name, default), name, otherwise)

    if "from" in rule:
        amount = number(rule["to"]) - number(rule["from"], 0)
    elif "count" in rule:
        value = _given(parameters, rule["count"], default)
        amount = Decimal(len(value)) if isinstance(value, (list, tuple)) else _number(value, rule["count"], 1)
    elif "characters" in rule:
        text = _given(parameters, rule["characters"], default)
        amount = Decimal(len(text) if isinstance(text, str) else 0)
    else:
        amount = Decimal(1)
        for name in rule.get("product", ()):
            amount *= number(name)
    return max(Decimal(0), amount)  # no value adds room to a budget, not even a negative one in `extra_body`


def _fields_of(quantity: Mapping[str, Any]) -> list[str]:
    """The fields that a quantity is made of."""
    return [name for value in quantity.values() for name in (value if isinstance(value, list) else [value])] or [
        "price"
    ]


def _number(value: Any, name: str, otherwise: float | None) -> Decimal:
    if value is None and otherwise is not None:
        return Decimal(otherwise)
    number = plain_number(value)
    if number is None:
        raise InvalidArgument("expected a number, to estimate the credits", field=name)
    if abs(number) > LARGEST_NUMBER:
        raise _too_many(name)
    return _exact(number)


def _too_many(field: str) -> InvalidArgument:
    return InvalidArgument("too large to estimate the credits", "give a smaller number", field=field)


def _exact(number: float) -> Decimal:
    """The number as it is written: 2.2 - 1.2 is one second and not a little more, which would be rounded up."""
    return Decimal(str(number))


def _at(parameters: Mapping[str, Any], path: str) -> Any:
    node: Any = parameters
    for name in path.split("."):
        if isinstance(node, Model):
            node = vars_of(node)
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
