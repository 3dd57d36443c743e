"""Settings of a client: checked when it is made, so that nothing is noticed only after a charge."""

from __future__ import annotations

from typing import Any

import pytest

from magic_hour_workflows import AsyncClient, Client, InvalidArgument
from magic_hour_workflows.settings import DEFAULT_TIMEOUT

NOBODY = "http://127.0.0.1:1"
CLIENTS = pytest.mark.parametrize("kind", [Client, AsyncClient])


@CLIENTS
def test_defaults(kind: Any) -> None:
    defaults = kind(token="x")._defaults
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
    assert caught.value.field in (name, "timeout")


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
    assert kind(token="x")._defaults.poll_interval == 2.5
    assert kind(token="x", poll_interval=1)._defaults.poll_interval == 1
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "")
    assert kind(token="x")._defaults.poll_interval is None


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
