"""The plan of faults: which request gets which.

Rule: what fires depends on the faults, their seeds and the order of the requests, and on nothing else, so a failing
test fails again.
"""

import math
import random
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ._clock import Clock
from ._fault_kinds import KINDS, STEPS, Step
from .faults import Fault, Target, wrong_step

__all__ = ["FaultPlan", "Fired", "Hit"]


@dataclass(frozen=True)
class Fired:
    """A fault that happened, and to what. `number` counts the requests that matched it, from 1."""

    fault: Fault
    operation: str
    number: int


@dataclass(frozen=True)
class Hit:
    """A fault that is about to happen; `happened` is called when it does. `round` counts how often all was cleared."""

    fault: Fault
    happened: Callable[[], None]
    round: int


class Held(Protocol):
    """A connection or a request that a fault holds up."""

    def release(self) -> None:
        """Let go, from any thread."""


@dataclass
class _Armed:
    """A fault of the plan and what is left of it."""

    fault: Fault
    random: random.Random
    number: int = 0
    fired: int = 0
    window: tuple[int, int] = (0, 0)

    def strikes(self, now: float) -> bool:
        """Count a matching request, and decide."""
        self.number += 1
        drawn = self.random.random() < self.fault.probability  # drawn for each, so that nth does not shift the others
        return drawn and self.number >= self.fault.nth and self._too_many(now)

    def _too_many(self, now: float) -> bool:
        if self.fault.kind != "rate_limit":
            return True
        second = math.floor(now)
        self.window = (second, self.window[1] + 1 if self.window[0] == second else 1)
        return bool(self.window[1] > self.fault["per_second"])

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.fired >= self.fault.times


class FaultPlan:
    """The faults that wait for their request, and those that happened. Safe to use from any thread.

    Each request is hit by one fault at most, the one that was added first; a create that is accepted may get one fault
    of the job besides. Every fault that matches counts the request.
    """

    def __init__(self, clock: Clock, seed: int, operations: Mapping[str, Step]) -> None:
        self._clock = clock
        self._seed = seed
        self._operations = operations
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._fired: list[Fired] = []
        self._round = 0
        self._held: weakref.WeakSet[Held] = weakref.WeakSet()

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
        """The faults that happened, in order. One that changes an answer happens only if there is what it changes."""
        with self._lock:
            return tuple(self._fired)

    def add(self, fault: Fault | str, **options: Any) -> Fault:
        """Add a fault, or one made of a kind and the options of `Fault`."""
        if isinstance(fault, str):
            fault = Fault(fault, **options)
        elif options:
            raise TypeError("options belong to a new fault; this one is made already")
        step = self._operations.get(fault.on)
        if fault.on != "*" and fault.on not in STEPS:
            if step is None:
                raise ValueError(f"no such operation: {fault.on!r}; there are {', '.join((*STEPS, *self._operations))}")
            if step not in KINDS[fault.kind].steps:
                raise ValueError(wrong_step(KINDS[fault.kind], fault.on))
        seed = self._seed if fault.seed is None else fault.seed
        with self._lock:
            self._armed.append(_Armed(fault, random.Random(seed)))
        return fault

    def strike(self, target: Target, *, job: bool = False) -> Hit | None:
        """Which fault hits this request; with `job`, which one hits the job that was just accepted."""
        if not self._armed:
            return None
        with self._lock:
            now = self._clock.now()
            first = None
            for armed in list(self._armed):
                about_it = (KINDS[armed.fault.kind].side == "job") is job and armed.fault.hits(target)
                if about_it and armed.strikes(now) and first is None:
                    first = self._take(armed, target)
            return first

    def hold(self, hit: Hit, held: Held) -> None:
        """Remember what a fault holds up, and let go when the faults are cleared, or now if they were meanwhile."""
        with self._lock:
            if hit.round == self._round:
                self._held.add(held)
                return
        held.release()

    def clear(self) -> None:
        """No more faults, and an end to all hangs: their connections are closed. `fired` stays."""
        with self._lock:
            self._armed.clear()
            self._round += 1
            held = list(self._held)
            self._held.clear()
        for each in held:
            each.release()

    def reset(self) -> None:
        """As `clear`, and forget what happened."""
        self.clear()
        with self._lock:
            self._fired.clear()

    def as_json(self) -> dict[str, Any]:
        """Everything, as `GET /_emulator/faults` answers it."""
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
