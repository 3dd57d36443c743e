"""What a call will cost, before it is made, from the prices in the contract.

Rule: an estimate says what is not known. Prices of models and resolutions change; where the contract only has the
lowest price, the estimate says "at least".
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


@attrs.frozen
class Estimate:
    """How many credits a call will cost.

    Attributes:
        credits: the number of credits, rounded up.
        at_least: True if the contract only knows the lowest price.
        highest: the credits at the highest price that the contract names for the call: what a budget counts.

    Example:
        >>> print(Estimate(20, at_least=True))
        at least 20 credits
    """

    credits: int
    at_least: bool
    highest: int = attrs.field(default=attrs.Factory(lambda self: self.credits, takes_self=True), repr=False)

    def __str__(self) -> str:
        return f"{'at least ' if self.at_least else ''}{self.credits} credits"


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
        Estimate(credits=200, at_least=True)
        >>> estimate_credits("ai_talking_photo", start_seconds=0, end_seconds=2.5)
        Estimate(credits=120, at_least=False)
    """
    priced = paid()
    name = operation if operation in priced else f"v1.{operation}.create"
    if name not in priced:
        known = [key.split(".")[1] for key in priced]
        hint = meant(str(operation), known) or f"only for {', '.join(known)}"
        raise InvalidArgument(f"no price is known for {shown(operation)}", hint, field="operation")
    priced_endpoint = endpoint(name)
    extra_body = parameters.pop("extra_body", None)
    if isinstance(priced_endpoint.body, Object):
        check_given(priced_endpoint.body, _without_files(priced_endpoint, parameters))
    return estimate(priced_endpoint, merged(parameters, extra_body))


def estimate(endpoint: Endpoint[..., Any], parameters: Mapping[str, Any]) -> Estimate:
    """The estimate for the parameters of an endpoint that has prices."""
    rule = endpoint.prices
    quantity = rule.get("quantity", {})
    low, high = _prices(rule, _at(parameters, str(rule.get("by", ""))))
    amount = _quantity(quantity, parameters)
    at_least = high > low or rule.get("at_least", False)
    return Estimate(_credits(low, amount, quantity), at_least, _credits(high, amount, quantity))


def _prices(rule: Mapping[str, Any], chosen: Any) -> tuple[Decimal, Decimal]:
    """The lowest and the highest price of the chosen value. A value without a price may have any price of the list."""
    prices, up_to = rule.get("prices", {}), rule.get("up_to", {})
    if chosen is None:
        named = [rule["price"]]
    elif isinstance(chosen, str) and chosen in prices:
        named = [prices[chosen], up_to.get(chosen, prices[chosen])]
    else:
        named = [*prices.values(), *up_to.values()] or [rule["price"]]
    return _exact(min(named)), _exact(max(named))


def _credits(price: Decimal, amount: Decimal, rule: Mapping[str, str]) -> int:
    credits = price * amount
    if credits > LARGEST_NUMBER:
        raise _too_many(rule.get("to") or rule.get("count", ""))
    return math.ceil(credits)


def _without_files(endpoint: Endpoint[..., Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to check, without those for files: they take whatever `generate` takes, and cost nothing."""
    for name in parameters:
        if name not in endpoint.fields and nearest(name, endpoint.fields):  # others are options of `generate`
            raise unknown_field("", name, dict.fromkeys(endpoint.fields))
    files = {field.path[0] for field in endpoint.assets}
    return {name: value for name, value in parameters.items() if name in endpoint.fields and name not in files}


def _quantity(rule: Mapping[str, str], parameters: Mapping[str, Any]) -> Decimal:
    if "from" in rule:
        amount = _number(parameters, rule["to"], None) - _number(parameters, rule["from"], 0)
    else:
        amount = _number(parameters, rule["count"], 1) if "count" in rule else Decimal(1)
    return max(Decimal(0), amount)  # no value adds room to a budget, not even a negative one in `extra_body`


def _number(parameters: Mapping[str, Any], name: str, default: float | None) -> Decimal:
    value = _at(parameters, name)
    if value is None and default is not None:
        return Decimal(default)
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
