"""The emulator in the tests of its users: fixtures, the marker `magic_hour`, and a verdict after each test.

pytest loads this module wherever the emulator is installed. Rule: so it imports nothing but pytest, and changes nothing
for a test that does not use the fixture `magic_hour`. The verdict itself is in `_pytest_verdict`, the guard against
other hosts in `_host_guard`; both are loaded with the first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from . import Emulator
    from ._host_guard import HostGuard

__all__ = ["magic_hour", "magic_hour_async_client", "magic_hour_client"]

_OPTIONS = ("credits", "frozen", "seed", "faults", "hosts", "repeats")
_SPEED = 50.0
_POLL_SECONDS = "0.05"
_Used = tuple["Emulator", "HostGuard"]
_USED = pytest.StashKey[_Used]()


def pytest_addoption(parser: pytest.Parser) -> None:
    hosts = "hosts that tests with the fixture magic_hour may connect to besides this machine; * for all"
    parser.addini("magic_hour_hosts", hosts, type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    usage = "magic_hour(credits=, frozen=, seed=, faults=, hosts=, repeats=): the emulator of the fixture magic_hour"
    config.addinivalue_line("markers", usage)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Judge what the test did to the service; a test that failed by itself only gets the requests in its report."""
    try:
        yield
        if (used := item.stash.get(_USED, None)) is not None:
            from ._pytest_verdict import problems

            repeats = bool(_options(item).get("repeats"))
            if found := [*used[1].problems(), *problems(used[0], repeats=repeats)]:
                pytest.fail("\n".join(found), pytrace=False)
    finally:
        if (used := item.stash.get(_USED, None)) is not None:
            from ._pytest_verdict import requests

            item.add_report_section("call", "magic_hour requests", requests(used[0]))


@pytest.fixture(scope="session")
def _magic_hour_servers() -> Iterator[Callable[[int], Emulator]]:
    """The emulators of this process, one for each seed; with xdist, every worker has its own."""
    from . import Emulator

    running: dict[int, Emulator] = {}
    with ExitStack() as stack:

        def server(seed: int) -> Emulator:
            if seed not in running:
                running[seed] = stack.enter_context(Emulator(seed=seed, speed=_SPEED))
            return running[seed]

        yield server


@pytest.fixture
def magic_hour(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _magic_hour_servers: Callable[[int], Emulator],
) -> Iterator[Emulator]:
    """The Magic Hour service, on this machine, empty: an `Emulator`.

    `MAGIC_HOUR_BASE_URL` and `MAGIC_HOUR_API_KEY` lead to it, so the code under test needs no change. After the test, a
    fault that never fired, a double charge or a connection to another host fails it.

    Example:
        def test_one_headshot_is_paid(magic_hour):
            make_headshot("portrait.jpg")
            assert magic_hour.ledger.charged == 50
    """
    from ._host_guard import HostGuard

    options = _options(request.node)
    emulator = _magic_hour_servers(options.get("seed", 0))
    emulator.reset()
    if (credits := options.get("credits")) is not None:
        emulator.ledger.set_balance(credits)
    if options.get("frozen"):
        emulator.clock.change(frozen=True)
    for fault in options.get("faults", ()):
        emulator.faults.add(fault)
    environment = {"BASE_URL": emulator.url, "API_KEY": emulator.token, "POLL_INTERVAL": _POLL_SECONDS}
    for name, value in environment.items():
        monkeypatch.setenv(f"MAGIC_HOUR_{name}", value)
    for name in ("NO_PROXY", "no_proxy"):  # a proxy cannot reach the emulator
        monkeypatch.setenv(name, "*")
    guard = HostGuard([*request.config.getini("magic_hour_hosts"), *options.get("hosts", ())])
    with guard:
        request.node.stash[_USED] = emulator, guard
        yield emulator
    emulator.faults.clear()  # so that nothing hangs because of one


@pytest.fixture
def magic_hour_client(magic_hour: Emulator) -> Iterator[Any]:
    """A `magic_hour_workflows.Client` of the emulator, closed after the test."""
    with _sdk().Client(token=magic_hour.token, base_url=magic_hour.url) as client:
        yield client


@pytest.fixture
def magic_hour_async_client(magic_hour: Emulator) -> Any:
    """A `magic_hour_workflows.AsyncClient` of the emulator. Open it in the test: `async with ... as client:`."""
    return _sdk().AsyncClient(token=magic_hour.token, base_url=magic_hour.url)


def _sdk() -> Any:
    """The SDK, by its name: the emulator works without it, and so do all other fixtures."""
    try:
        return importlib.import_module("magic_hour_workflows")
    except ModuleNotFoundError:
        pytest.fail("this fixture needs the SDK: pip install magic-hour-workflows", pytrace=False)


def _options(item: pytest.Item) -> dict[str, Any]:
    """What the markers of a test say; the nearest one wins."""
    options: dict[str, Any] = {}
    for marker in item.iter_markers("magic_hour"):
        unknown = set(marker.kwargs) - set(_OPTIONS)
        if marker.args or unknown:
            wrong = ", ".join(sorted(unknown)) or "arguments without a name"
            pytest.fail(f"the marker magic_hour takes {', '.join(_OPTIONS)}; got {wrong}", pytrace=False)
        options = {**marker.kwargs, **options}
    return options
