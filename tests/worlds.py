"""One scenario, three worlds: sync, asyncio and trio.

A scenario is a generator function of a client: it yields what the client's methods return and gets the results, or
the exceptions, sent in. So each is written once and runs with `Client` as it stands and with `AsyncClient` awaited.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import anyio

from magic_hour_workflows import AsyncClient, Client

Scenario = Callable[[Any], Generator[Any, Any, Any]]


class World:
    """A way to run scenarios."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name != "sync"

    def __repr__(self) -> str:
        return self.name

    def run(self, scenario: Scenario, **options: Any) -> Any:
        """Run a scenario with a client made of `options`; what it returns is returned."""
        if not self.is_async:
            with Client(**options) as client:
                return _drive(scenario(client))
        return anyio.run(_arun, scenario, options, backend=self.name)

    def call(self, use: Callable[[Any], Any], **options: Any) -> Any:
        """The result of a single call."""

        def scenario(client: Any) -> Generator[Any, Any, Any]:
            return (yield lambda: use(client))

        return self.run(scenario, **options)


def _drive(steps: Generator[Any, Any, Any]) -> Any:
    send: Callable[[], Any] = lambda: next(steps)  # noqa: E731
    while True:
        try:
            step = send()
        except StopIteration as finished:
            return finished.value
        try:
            value = step() if callable(step) else step
        except Exception as error:  # noqa: BLE001  (handed to the scenario)
            send = _thrower(steps, error)
        else:
            send = _sender(steps, value)


async def _arun(scenario: Scenario, options: dict[str, Any]) -> Any:
    async with AsyncClient(**options) as client:
        steps = scenario(client)
        send: Callable[[], Any] = lambda: next(steps)  # noqa: E731
        while True:
            try:
                step = send()
            except StopIteration as finished:
                return finished.value
            try:
                value = await (step() if callable(step) else step)
            except Exception as error:  # noqa: BLE001  (handed to the scenario)
                send = _thrower(steps, error)
            else:
                send = _sender(steps, value)


def _sender(steps: Generator[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: steps.send(value)


def _thrower(steps: Generator[Any, Any, Any], error: Exception) -> Callable[[], Any]:
    return lambda: steps.throw(error)
