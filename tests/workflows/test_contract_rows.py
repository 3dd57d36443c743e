"""The rows of every paid operation: what the emulator charges lies within the estimate, and what follows is sent."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from magic_hour_client.endpoints import endpoint
from magic_hour_emulator._contract import load_contract
from magic_hour_workflows._credits import estimate
from magic_hour_workflows._operations import paid

OPERATIONS = paid()
CHARGED = {operation.name: operation.price for operation in load_contract().operations if operation.price is not None}
PRICED = [name for name in OPERATIONS if endpoint(name).prices]
RULES = [
    (name, rule.path, field, source, value)
    for name in OPERATIONS
    for rule in endpoint(name).rules
    for field, values in rule.implied.items()
    for source, value in values.items()
]


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set a field by its names with dots; None takes it away."""
    *objects, name = path.split(".")
    for step in objects:
        body = body.setdefault(step, {})
    if value is None:
        body.pop(name, None)
    else:
        body[name] = value


def bodies(name: str) -> Iterator[dict[str, Any]]:
    """The example of an operation with every combination of the values that its price depends on."""
    table = endpoint(name).prices
    known: dict[str, dict[Any, None]] = {}
    for row in table["prices"]:
        for field in row.keys() - {"price", "up_to", "at_least"}:
            values = row[field] if isinstance(row[field], list) else [row[field]]
            known.setdefault(field, {}).update(dict.fromkeys(values))
    for field, values in known.items():
        others = () if any(isinstance(value, bool) for value in values) else ("of tomorrow",)
        known[field] = dict.fromkeys((*values, *others, None))
    amounts: dict[str, tuple[Any, ...]] = {
        field: ("x" * 11,) if "characters" in table["quantity"] else (1, 3)
        for key, field in table.get("quantity", {}).items()
        if key in ("to", "count", "characters")
    }
    for values in itertools.product(*known.values(), *amounts.values()):
        body = copy.deepcopy(OPERATIONS[name]["example"])
        for field, value in zip((*known, *amounts), values, strict=True):
            put(body, field, value)
        if "from" in table.get("quantity", {}):
            put(body, table["quantity"]["from"], 0.15)
        yield body


@pytest.mark.parametrize("name", PRICED)
def test_the_charge_lies_within_the_estimate(name: str) -> None:
    for body in bodies(name):
        expected, charged = estimate(endpoint(name), body), CHARGED[name].credits(body)
        assert expected.credits <= charged, body
        assert expected.at_most is None or charged <= expected.at_most, body


def test_every_paid_operation_is_priced_or_says_that_it_is_not() -> None:
    assert len(OPERATIONS) >= 27
    for name in OPERATIONS.keys() - set(PRICED):
        assert "not documented" in str(estimate(endpoint(name), {}))


@pytest.mark.parametrize(("name", "path", "field", "source", "value"), RULES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_follows_from_a_field_is_sent(
    name: str, path: tuple[str, ...], field: str, source: str, value: Any
) -> None:
    called = endpoint(name)
    [rule] = [rule for rule in called.rules if rule.path == path]
    body = copy.deepcopy(OPERATIONS[name]["example"])
    for other in (field, *rule.implied[field]):
        put(body, ".".join((*path, other)), None)
    given = [{"original_face": "a", "new_face": "b"}] if source == "face_mappings" else "https://a.example/b"
    if source == "points":
        given = [{"position_x": 1, "position_y": 1, "time_seconds": 0}]
    put(body, ".".join((*path, source)), given)
    sent = called.request(**body).body
    for step in path:
        sent = sent[step]
    assert sent[field] == value
