"""Faults as values, and the plan that says which request gets which.

Rule: what fires depends on the faults, their seeds and the order of the requests, and on nothing else, so a failing
test fails again. A fault that cannot happen is refused when it is made, not ignored when it should fire.
"""

import math
import random
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Final, Protocol

from .clock import Clock
from .kinds import KINDS, REQUIRED, STEPS, Kind, Parameters, Phase, Step

__all__ = ["Fault", "FaultPlan", "Fired", "Hit", "Target", "matrix"]

_OPTIONS: Final = ("on", "phase", "nth", "times", "probability", "seed")
# These say that nothing was accepted, and the service does not lie: once it has accepted, it cannot send them.
_ONLY_BEFORE: Final = frozenset(range(400, 500)) - {408, 409, 425} | {501, 503}


@dataclass(frozen=True, init=False)
class Fault:
    """One fault: what goes wrong, on which requests, and how often.

    Args:
        kind: what goes wrong, a name of `KINDS`.
        on: a step ("upload-urls", "put", "create", "get", "delete", "download"), an operation such as
            "v1.ai_image_generator.create", or "*" for every step in which the kind makes sense.
        phase: "before" the service does what it is asked, or "after" that and before the reply. If not given, the first
            that the kind allows.
        nth: fires first at the nth matching request, counted from when the fault was added.
        times: how often it fires; None for no limit. If not given, once, or without limit if there is a probability
            (and for "rate_limit").
        probability: how likely a matching request is hit.
        seed: decides which ones; the emulator's own if not given.
        parameters: of the kind; `KINDS[kind].parameters` has their defaults.

    Raises:
        ValueError: there is no such fault; the message says why.
    """

    kind: str
    on: str
    phase: Phase
    nth: int
    times: int | None
    probability: float
    seed: int | None
    parameters: Parameters = field(hash=False)

    def __init__(
        self,
        kind: str,
        *,
        on: str = "*",
        phase: Phase | None = None,
        nth: int = 1,
        times: int | EllipsisType | None = ...,
        probability: float = 1.0,
        seed: int | None = None,
        **parameters: Any,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"no such kind of fault: {kind!r}; there are {', '.join(KINDS)}")
        about = KINDS[kind]
        if times is ...:
            times = None if probability != 1 or kind == "rate_limit" else 1
        values = {
            "kind": kind,
            "on": on,
            "phase": phase or about.phases[0],
            "nth": _whole("nth", nth),
            "times": None if times is None else _whole("times", times),
            "probability": probability,
            "seed": seed,
            "parameters": _checked(about, parameters),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        problem = _objection(self, about)
        if problem:
            raise ValueError(problem)

    def __getitem__(self, parameter: str) -> Any:
        return self.parameters[parameter]

    def __str__(self) -> str:
        """Short, for the names of tests: `create-before-status-500`."""
        own = KINDS[self.kind].parameters
        values = [str(value) for name, value in self.parameters.items() if value != own[name]]
        return "-".join([self.on, self.phase, self.kind, *values])

    def as_json(self) -> dict[str, Any]:
        """As `POST /_emulator/faults` takes it."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in _OPTIONS}, **self.parameters}

    def hits(self, target: "Target") -> bool:
        """Whether this fault is about such a request."""
        wanted = self.on in ("*", target.step, target.operation) and target.step in KINDS[self.kind].steps
        return wanted and (target.ranged or not self.kind.startswith("range_"))


@dataclass(frozen=True)
class Target:
    """What a request is, seen by a fault: its operation, its step, and whether it asks for a range of bytes."""

    operation: str
    step: Step
    ranged: bool = False


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
                raise ValueError(_wrong_step(KINDS[fault.kind], fault.on))
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


def matrix(steps: Sequence[Step] = STEPS, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Fault]:
    """Every fault worth testing: each kind, in each step and phase where it makes sense, with each of its variants."""
    for step in steps:
        for kind in (KINDS[name] for name in kinds):
            for phase in kind.phases if step in kind.steps else ():
                for parameters in kind.cases(step):
                    if not (phase == "after" and _cannot_be_after(kind.name, {**kind.parameters, **parameters})):
                        yield Fault(kind.name, on=step, phase=phase, **parameters)


def _whole(name: str, number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"{name} must be a whole number, 1 or more, not {number!r}")
    return number


def _checked(kind: Kind, given: Parameters) -> Parameters:
    """The parameters of a kind, with its defaults."""
    unknown = set(given) - set(kind.parameters)
    if unknown:
        takes = ", ".join(kind.parameters) or "no parameters"
        raise ValueError(f"{kind.name} has no {', '.join(sorted(unknown))}; it takes {takes}")
    values = {**kind.parameters, **given}
    for name, value in values.items():
        if value is REQUIRED:
            raise ValueError(f"{kind.name} needs {name}")
        problem = kind.objection(name, value)
        if problem:
            raise ValueError(f"{kind.name}: {name} {problem}, not {value!r}")
    return values


def _objection(fault: Fault, kind: Kind) -> str | None:
    """Why there is no such fault."""
    if fault.phase not in kind.phases:
        return f"{kind.name} happens {' or '.join(kind.phases)} the service does what it is asked, not {fault.phase}"
    if fault.on in STEPS and fault.on not in kind.steps:
        return _wrong_step(kind, fault.on)
    if isinstance(fault.probability, bool) or not 0 < fault.probability <= 1:
        return f"probability must be more than 0 and at most 1, not {fault.probability!r}"
    if fault.phase == "before" and kind.name == "reset" and fault["at_byte"] is not None:
        return "reset: at_byte counts bytes of the reply, and before there is none"
    if fault.phase == "after":
        return _cannot_be_after(kind.name, fault.parameters)
    return None


def _wrong_step(kind: Kind, on: str) -> str:
    return f"{kind.name} happens at {', '.join(kind.steps)}, not at {on}"


def _cannot_be_after(kind: str, parameters: Parameters) -> str | None:
    if kind == "status" and parameters["status"] in _ONLY_BEFORE:
        return f"the service sends {parameters['status']} only before it has accepted anything"
    return None
