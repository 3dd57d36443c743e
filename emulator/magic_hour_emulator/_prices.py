"""What a create costs, by the price list in the contract (`x-credits`).

Rule: the price is that of the first row that no field contradicts, rounded up. Estimates, which are made from the same
rows elsewhere, must include it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

__all__ = ["Price", "dig"]

Json = dict[str, Any]

_OF_A_ROW: Final = {"price", "up_to", "at_least"}
# The contract does not say what some creates cost: they cost something, and everybody can see that it is made up.
_NOT_DOCUMENTED: Final = 1


@dataclass(frozen=True)
class Price:
    """The price list of one operation; None if the contract has none."""

    table: Mapping[str, Any] | None

    def credits(self, body: Json) -> int:
        """The credits for this body, rounded up."""
        if self.table is None:
            return _NOT_DOCUMENTED
        rows = self.table["prices"]
        default = self.table.get("default", {})
        fitting = [row["price"] for row in rows if _fits(row, body, default)]
        # A value without a row is charged the lowest price: estimates then say "at least".
        price = Decimal(str(fitting[0] if fitting else min(row["price"] for row in rows)))
        return int((price * _amount(self.table.get("quantity", {}), body, default)).to_integral_value(ROUND_CEILING))


def _fits(row: Json, body: Json, default: Json) -> bool:
    for field in row.keys() - _OF_A_ROW:
        value = _value(body, field, default)
        wanted = row[field] if isinstance(row[field], list) else [row[field]]
        if value is not None and value not in wanted:
            return False
    return True


def _value(body: Json, field: str, default: Json) -> Any:
    value = dig(body, field)
    return default.get(field) if value is None else value


def _amount(quantity: Json, body: Json, default: Json) -> Decimal:
    """The number of units, exactly: as floats, 2.2 - 1.2 is more than one second."""
    values = {name: _value(body, name, default) for name in _names(quantity)}
    if "from" in quantity:
        return _number(values[quantity["to"]]) - _number(values[quantity["from"]])
    amount = Decimal(1)
    for value in values.values():
        if isinstance(value, str | list):
            amount *= len(value)
        elif value is not None:
            amount *= _number(value)
        elif "characters" in quantity:
            amount = Decimal(0)
    return amount


def _names(quantity: Json) -> list[str]:
    return [name for names in quantity.values() for name in (names if isinstance(names, list) else [names])]


def _number(value: Any) -> Decimal:
    return Decimal(str(value or 0))


def dig(body: Any, dotted: str) -> Any:
    """The value of a field by its names with dots; None if it is not given."""
    for part in dotted.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body
