"""Settings of a client: checked when it is made, so that nothing is noticed only after a charge."""

from __future__ import annotations

from fractions import Fraction
from numbers import Integral
from typing import Any

import pytest

from magic_hour_workflows import AsyncClient, Client, InvalidArgument, estimate_credits
from magic_hour_workflows._settings import DEFAULT_TIMEOUT
from magic_hour_workflows.batch import Batch

NOBODY = "http://127.0.0.1:1"
CLIENTS = pytest.mark.parametrize("kind", [Client, AsyncClient])


@CLIENTS
def test_defaults(kind: Any) -> None:
    defaults = kind(token="x").runner.defaults
    assert (defaults.timeout, defaults.poll_interval, defaults.max_parallel) == (DEFAULT_TIMEOUT, None, 4)


@CLIENTS
def test_the_variable_of_the_vendor_is_understood(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "2.5")
    assert kind(token="x").runner.defaults.poll_interval == 2.5
    assert kind(token="x", poll_interval=1).runner.defaults.poll_interval == 1
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "")
    assert kind(token="x").runner.defaults.poll_interval is None


@Integral.register
class Int64:
    """A whole number as NumPy has them: registered, and no `int`."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)


@CLIENTS
def test_numbers_of_other_libraries_are_numbers(kind: Any) -> None:
    client = kind(token="x", timeout=Int64(9), poll_interval=Fraction(5, 2), max_parallel=Int64(3))
    assert client.runner.defaults[:3] == (9.0, 2.5, 3)
    assert [type(value) for value in client.runner.defaults[:3]] == [float, float, int]
    call = client.runner.begin(timeout=Fraction(7, 2), poll_interval=Int64(2))
    assert (call.timeout, call.poll_interval) == (3.5, 2.0)


def test_so_they_are_in_a_batch_and_in_an_estimate() -> None:
    limits: dict[str, Any] = {"concurrency": Int64(3), "rate": Fraction(5, 2), "max_credits": Int64(100)}
    assert Batch([], database="unused", token="x", **limits)._limits == {
        "concurrency": 3,
        "rate": 2.5,
        "max_credits": 100,
    }
    seconds: Any = {"start_seconds": Int64(1), "end_seconds": Fraction(7, 2)}
    assert estimate_credits("ai_talking_photo", **seconds).credits == 120
    with pytest.raises(InvalidArgument, match="`concurrency`: expected an integer of at least 1"):
        Batch([], database="unused", token="x", concurrency=Fraction(5, 2))  # type: ignore[arg-type]
