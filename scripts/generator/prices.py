"""Prices of the contract: the decision table of an operation, checked.

Rule: the table is handed on as it stands; what it names must exist, and its values must have the types of their fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .rows import Rows, is_number, shown, types_of

_PRICE_KEYS = {"unit", "quantity", "default", "prices", "round", "at_least"}
_ROW_KEYS = {"price", "up_to", "at_least"}
_QUANTITIES: dict[frozenset[str], set[str]] = {
    frozenset({"from", "to"}): {"integer", "number"},
    frozenset({"count"}): {"array", "integer", "number"},
    frozenset({"characters"}): {"string"},
    frozenset({"product"}): {"integer", "number"},
}
"""How the number of units follows from fields, and what types these may have."""


class Prices(Rows):
    """Reads the prices of one operation."""

    # -- prices ---------------------------------------------------------------------------------------------------

    def prices(self, table: Any) -> dict[str, Any]:
        """The table of prices as it stands, checked; empty if there is none."""
        if table is None:
            return {}
        if not isinstance(table, dict) or table.keys() - _PRICE_KEYS:
            odd = sorted(table.keys() - _PRICE_KEYS, key=str) if isinstance(table, dict) else table
            self.wrong("x-credits", f"{shown(odd)} is not made of {', '.join(sorted(_PRICE_KEYS))}")
            return {}
        if not isinstance(table.get("unit"), str):
            self.wrong("x-credits.unit", "a word is missing for what the price is for")
        if table.get("round", "up") != "up" or not isinstance(table.get("at_least", False), bool):
            self.wrong("x-credits", "`round` can be `up`, and `at_least` true")
        defaults = table.get("default", {})
        if not isinstance(defaults, dict):
            self.wrong("x-credits.default", "expected fields, each with its value")
            defaults = {}
        for name, value in defaults.items():
            if (field := self.field("x-credits.default", name)) is not None:
                self.check_value("x-credits.default", value, field)
        self._check_quantity(table.get("quantity"), defaults)
        rows = table.get("prices")
        if not isinstance(rows, list) or not rows:
            self.wrong("x-credits.prices", "expected a list of rows, each with its price")
            rows = []
        for number, row in enumerate(rows):
            self._check_row(row, f"x-credits.prices[{number}]")
        return table

    def _check_row(self, row: Any, place: str) -> None:
        if not isinstance(row, dict):
            self.wrong(place, "expected fields with their values, and a price")
            return
        price, up_to = row.get("price"), row.get("up_to", row.get("price"))
        if not (is_number(price) and is_number(up_to) and 0 <= price <= up_to):
            self.wrong(place, f"{shown(price)} is not a price, or `up_to` is below it")
        if not isinstance(row.get("at_least", False), bool):
            self.wrong(place, "`at_least` can be true")
        for name in row.keys() - _ROW_KEYS:
            if (field := self.field(place, name)) is not None:
                for value in row[name] if isinstance(row[name], list) else [row[name]]:
                    self.check_value(place, value, field)

    def _check_quantity(self, quantity: Any, defaults: Mapping[str, Any]) -> None:
        place = "x-credits.quantity"
        if quantity is None:
            return
        if not isinstance(quantity, dict) or frozenset(quantity) not in _QUANTITIES:
            self.wrong(place, "expected one of {from, to}, {count}, {characters} and {product}")
            return
        names = quantity["product"] if "product" in quantity else [*quantity.values()]
        wanted = _QUANTITIES[frozenset(quantity)]
        for name in names if isinstance(names, list) and names else [names]:
            if (field := self.field(place, name)) is None:
                continue
            if not types_of(field) & wanted:
                self.wrong(place, f"{name} is no {' or '.join(sorted(wanted))}")
            free = name == quantity.get("from") or "count" in quantity or "characters" in quantity
            if not (free or name in defaults or self._is_needed(str(name))):
                self.wrong(place, f"{name} may be left out, so it needs a `default`")

    def _is_needed(self, path: str) -> bool:
        source = {} if self.body is None else self.models.source(self.body)
        for name in path.split("."):
            if name not in (source.get("required") or []):
                return False
            source = self.models.contract.schema((source.get("properties") or {}).get(name))
        return True
