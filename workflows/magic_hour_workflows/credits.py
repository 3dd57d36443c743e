"""What a call will cost, before it is made, from the prices in the contract.

Rule: honest about what is not known. Prices of models and resolutions change; where the contract only knows the lowest
price, the estimate says "at least".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs

from magic_hour_client.errors import InvalidArgument
from magic_hour_client.schema import Model, vars_of
from magic_hour_client.types import Endpoint

from .operations import module, paid


@attrs.frozen
class Estimate:
    """How many credits a call will cost.

    Attributes:
        credits: the number of credits, rounded up.
        at_least: True if the contract only knows the lowest price.

    Example:
        >>> print(Estimate(20, at_least=True))
        at least 20 credits
    """

    credits: int
    at_least: bool

    def __str__(self) -> str:
        return f"{'at least ' if self.at_least else ''}{self.credits} credits"


def estimate_credits(operation: str, **parameters: Any) -> Estimate:
    """Estimate what a call will cost. Nothing is sent.

    Args:
        operation: the resource, such as `ai_image_generator`, or the whole name of its `create`.
        parameters: those of `create` or `generate` that the price depends on; others do not matter.

    Raises:
        InvalidArgument: there is no such operation, or a number that the price depends on is missing or no number.

    Example:
        >>> estimate_credits("ai_image_generator", image_count=4, model="nano-banana", style={"prompt": "A red fox"})
        Estimate(credits=200, at_least=True)
        >>> estimate_credits("ai_talking_photo", start_seconds=0, end_seconds=2.5)
        Estimate(credits=120, at_least=False)
    """
    priced = paid()
    name = operation if operation in priced else f"v1.{operation}.create"
    if name not in priced:
        known = ", ".join(key.split(".")[1] for key in priced)
        raise InvalidArgument(f"`operation`: no price is known for {operation!r}, only for {known}", field="operation")
    return estimate(module(name).ENDPOINT, parameters)


def estimate(endpoint: Endpoint, parameters: Mapping[str, Any]) -> Estimate:
    """The estimate for the parameters of an endpoint that has prices."""
    rule = endpoint.prices
    chosen = _at(parameters, str(rule.get("by", "")))
    prices = rule.get("prices", {})
    price = prices.get(chosen, rule["price"])
    at_least = rule.get("at_least", False) is True or (chosen is not None and chosen not in prices)
    return Estimate(math.ceil(price * _quantity(rule.get("quantity", {}), parameters)), at_least)


def _quantity(rule: Mapping[str, str], parameters: Mapping[str, Any]) -> float:
    if "from" in rule:
        return max(0.0, _number(parameters, rule["to"], None) - _number(parameters, rule["from"], 0))
    if "count" in rule:
        return _number(parameters, rule["count"], 1)
    return 1


def _number(parameters: Mapping[str, Any], name: str, default: float | None) -> float:
    value = _at(parameters, name)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidArgument(f"`{name}`: expected a number, to estimate the credits", field=name)
    return float(value)


def _at(parameters: Mapping[str, Any], path: str) -> Any:
    node: Any = parameters
    for name in path.split("."):
        if isinstance(node, Model):
            node = vars_of(node)
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
