"""The schedule of faults: what a request is called, and which fault hits it.

Rule: what fires depends only on the faults, their seeds and the order of the requests, so that a failing test fails
again. The names of requests come from the contract's routes; none is listed by hand.
"""

import math
import random
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.types import Scope

from ._clock import Clock
from ._contract import Contract
from ._fault_kinds import KINDS, STEPS, WEBHOOK, Step
from .faults import Fault, Target, wrong_step

__all__ = ["FaultSchedule", "Find", "Fired", "Hit", "api_targets", "operation_steps", "storage_target"]

Find = Callable[[Scope], Target | None]


def operation_steps(contract: Contract, events: Iterable[str] = ()) -> dict[str, Step]:
    """The operations and events that faults can be set on, and the step that each of them is."""
    steps: dict[str, Step] = dict.fromkeys(events, WEBHOOK)
    steps.update((each.name, each.step) for each in contract.operations if each.step is not None)
    return steps


def api_targets(contract: Contract) -> Find:
    """A function that says what a request to the API is."""
    routes = [
        (
            operation.method,
            re.compile(re.sub(r"\{\w+\}", "[^/]+", operation.path)),
            Target(operation.name, operation.step),
        )
        for operation in contract.operations
        if operation.step is not None
    ]

    def find(scope: Scope) -> Target | None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        for wanted, path, target in routes:
            if wanted == method and path.fullmatch(scope["path"]):
                return target
        return None

    return find


def storage_target(scope: Scope) -> Target | None:
    """What a request to the storage is."""
    if scope["method"] == "PUT":
        return Target("put", "put")
    if scope["method"] in ("GET", "HEAD"):
        return Target("download", "download", ranged=any(name == b"range" for name, _ in scope["headers"]))
    return None


@dataclass(frozen=True)
class Fired:
    """A fault that happened, and the operation it hit. `number` counts the requests that matched it, from 1."""

    fault: Fault
    operation: str
    number: int


@dataclass(frozen=True)
class Hit:
    """A fault that is about to happen; call `happened` when it does. `round` counts the calls of `clear`."""

    fault: Fault
    happened: Callable[[], None]
    round: int


class Held(Protocol):
    """A connection or a request that a fault delays."""

    def release(self) -> None:
        """End the delay, from any thread."""


@dataclass
class _Armed:
    """A fault in the schedule and how often it has fired."""

    fault: Fault
    random: random.Random
    number: int = 0
    fired: int = 0
    window: tuple[int, int] = (0, 0)

    def strikes(self, now: float) -> bool:
        """Count a matching request, and decide whether it is hit."""
        self.number += 1
        drawn = self.random.random() < self.fault.probability  # always drawn, so that `nth` shifts nothing
        return drawn and self.number >= self.fault.nth and self._exceeds_rate(now)

    def _exceeds_rate(self, now: float) -> bool:
        if self.fault.kind != "rate_limit":
            return True
        second = math.floor(now)
        self.window = (second, self.window[1] + 1 if self.window[0] == second else 1)
        return bool(self.window[1] > self.fault["per_second"])

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.fired >= self.fault.times


class FaultSchedule:
    """The faults that are still to come, and those that happened. Safe to use from any thread.

    A request is hit by at most one fault, the one that was added first. An accepted create may also get one fault of
    the job. Every matching fault counts the request.
    """

    def __init__(self, clock: Clock, seed: int, operations: Mapping[str, Step]) -> None:
        self._clock = clock
        self._seed = seed
        self._operations = operations
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._fired: list[Fired] = []
        self._round = 0
        self.held: weakref.WeakSet[Held] = weakref.WeakSet()
        """What a fault delays or silences now."""

    @property
    def armed(self) -> bool:
        """Whether anything may still fire."""
        return bool(self._armed)

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The faults that may still fire, oldest first."""
        with self._lock:
            return tuple(armed.fault for armed in self._armed)

    @property
    def fired(self) -> tuple[Fired, ...]:
        """The faults that happened, in order; one that finds nothing to change in a response does not happen."""
        with self._lock:
            return tuple(self._fired)

    def add(self, fault: Fault | str, **options: Any) -> Fault:
        """Add a fault, given as a `Fault` or as a kind and the options of `Fault`."""
        if isinstance(fault, str):
            fault = Fault(fault, **options)
        elif options:
            raise TypeError("pass options with the name of a kind, not with a Fault")
        step = self._operations.get(fault.on)
        if fault.on not in ("*", *STEPS, WEBHOOK):
            if step is None:
                names = ", ".join((*STEPS, WEBHOOK, *self._operations))
                raise ValueError(f"no such operation: {fault.on!r}; there are {names}")
            if step not in KINDS[fault.kind].steps:
                raise ValueError(wrong_step(KINDS[fault.kind], fault.on))
        seed = self._seed if fault.seed is None else fault.seed
        with self._lock:
            self._armed.append(_Armed(fault, random.Random(seed)))
        return fault

    def strike(self, target: Target, *, job: bool = False) -> Hit | None:
        """The fault that hits this request or, with `job`, the job that was just accepted."""
        if not self._armed:
            return None
        with self._lock:
            now = self._clock.now()
            first = None
            for armed in list(self._armed):
                matches = (KINDS[armed.fault.kind].side == "job") is job and armed.fault.hits(target)
                if matches and armed.strikes(now) and first is None:
                    first = self._take(armed, target)
            return first

    def hold(self, hit: Hit, held: Held) -> None:
        """Delay something until the faults are cleared; release it at once if they were cleared meanwhile."""
        with self._lock:
            if hit.round == self._round:
                self.held.add(held)
                return
        held.release()

    def clear(self) -> None:
        """Remove all faults, and close the connections that hang because of one. `fired` stays."""
        with self._lock:
            self._armed.clear()
            self._round += 1
            held = list(self.held)
            self.held.clear()
        for each in held:
            each.release()

    def reset(self) -> None:
        """Like `clear`, and forget what happened."""
        self.clear()
        with self._lock:
            self._fired.clear()

    def as_json(self) -> dict[str, Any]:
        """Everything, as `GET /_emulator/faults` returns it."""
        fired = [
            {"fault": each.fault.as_json(), "operation": each.operation, "number": each.number} for each in self.fired
        ]
        return {"pending": [fault.as_json() for fault in self.pending], "fired": fired}

    def _take(self, armed: _Armed, target: Target) -> Hit:
        armed.fired += 1
        if armed.spent:
            self._armed.remove(armed)
        fired = Fired(armed.fault, target.operation, armed.number)
        return Hit(armed.fault, lambda: self._record(fired), self._round)

    def _record(self, fired: Fired) -> None:
        with self._lock:
            self._fired.append(fired)
