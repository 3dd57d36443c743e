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
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", "60"),
        ("timeout", True),
        ("timeout", float("nan")),
        ("request_timeout", 0),
        ("poll_interval", 0),
        ("poll_interval", 1e-6),
        ("poll_interval", "fast"),
        ("max_parallel", 0),
        ("max_parallel", 1.5),
        ("max_parallel", True),
    ],
)
def test_what_cannot_be_right_is_refused(kind: Any, name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        kind(token="x", **{name: value})
    assert caught.value.field == name


@CLIENTS
@pytest.mark.parametrize("value", ["fast", "-1", "0", "nan", "inf", "1e-9"])
def test_a_bad_variable_is_refused_when_the_client_is_made(
    kind: Any, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", value)
    with pytest.raises(InvalidArgument, match="MAGIC_HOUR_POLL_INTERVAL"):
        kind(token="x")


@CLIENTS
def test_the_variable_of_the_vendor_is_understood(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "2.5")
    assert kind(token="x").runner.defaults.poll_interval == 2.5
    assert kind(token="x", poll_interval=1).runner.defaults.poll_interval == 1
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "")
    assert kind(token="x").runner.defaults.poll_interval is None


async def listener(event: object) -> None:
    """The mistake of a newcomer: nobody would await it."""


class Listener:
    async def __call__(self, event: object) -> None:
        """The same mistake as an object."""


@pytest.mark.parametrize("value", [listener, Listener(), "print", 7])
def test_what_cannot_listen_is_refused(value: Any) -> None:
    with Client(token="x", base_url=NOBODY) as client, pytest.raises(InvalidArgument, match="on_progress"):
        client.v1.image_projects.wait("job-1", on_progress=value)


@pytest.mark.parametrize("option", [{"timeout": 0}, {"poll_interval": 1e-6}])
def test_options_of_a_call_are_checked_too(option: dict[str, Any]) -> None:
    with Client(token="x", base_url=NOBODY) as client, pytest.raises(InvalidArgument):
        client.v1.image_projects.wait("job-1", **option)


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
