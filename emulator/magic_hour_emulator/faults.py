"""Faults as values: what goes wrong, on which requests, and how often.

Rule: a fault that can never happen is refused when it is created, not ignored when it should fire.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Final

from ._fault_kinds import KINDS, REQUIRED, STEPS, WEBHOOK, Kind, Parameters, Phase, Step

__all__ = ["KINDS", "REQUIRED", "STEPS", "WEBHOOK", "Fault", "Kind", "Phase", "Step", "matrix"]

_OPTIONS: Final = ("on", "phase", "nth", "times", "probability", "seed")
# These say that nothing was accepted. The service does not lie, so it cannot send them after it has accepted.
_ONLY_BEFORE: Final = frozenset(range(400, 500)) - {408, 409, 425} | {501, 503}


@dataclass(frozen=True, init=False)
class Fault:
    """One fault: what goes wrong, on which requests, and how often.

    Args:
        kind: what goes wrong, a name of `KINDS`.
        on: a step ("upload-urls", "put", "create", "get", "delete", "download", "webhook"), an operation such as
            "v1.ai_image_generator.create", an event such as "video.completed", or "*" for every step that the kind
            applies to.
        phase: "before" the service carries out the request, or "after" that and before the response. Default: the
            first that the kind allows.
        nth: the first matching request that is hit, counted from when the fault was added.
        times: how often it fires; None for no limit. Default: once, or no limit with a probability and for
            "rate_limit".
        probability: how likely a matching request is hit.
        seed: decides which requests are hit. Default: the emulator's seed.
        parameters: the parameters of the kind; `KINDS[kind].parameters` has their defaults.

    Raises:
        ValueError: there is no such fault; the message says why.

    Example:
        emulator.faults.add(Fault("reset", on="create", phase="after"))
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
        """A short name for tests: `create-before-status-502`."""
        own = KINDS[self.kind].parameters
        values = [str(value) for name, value in self.parameters.items() if value != own[name]]
        return "-".join([self.on, self.phase, self.kind, *values])

    def as_json(self) -> dict[str, Any]:
        """The JSON that `POST /_emulator/faults` takes."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in _OPTIONS}, **self.parameters}

    def hits(self, target: "Target") -> bool:
        """Whether this fault matches such a request."""
        wanted = self.on in ("*", target.step, target.operation) and target.step in KINDS[self.kind].steps
        possible = target.ranged or not self.kind.startswith("range_")
        return wanted and possible and (target.followed or self.kind != "webhook_reordered")


@dataclass(frozen=True)
class Target:
    """What a fault knows of a request: its operation, its step, and whether it asks for a range of bytes.

    Of a webhook, the operation is the event, and `followed` says whether another one of the same job may follow.
    """

    operation: str
    step: Step
    ranged: bool = False
    followed: bool = False


def matrix(steps: Sequence[Step] = STEPS, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Fault]:
    """Every fault of requests that is worth testing: each kind, in each step and phase that it applies to, with each of
    its variants. `matrix(["webhook"])` has those of webhooks."""
    for step in steps:
        for kind in (KINDS[name] for name in kinds):
            for phase in kind.phases if step in kind.steps else ():
                for parameters in kind.cases(step):
                    if not (phase == "after" and _cannot_be_after(kind.name, {**kind.parameters, **parameters})):
                        yield Fault(kind.name, on=step, phase=phase, **parameters)


def _whole(name: str, number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"{name} must be an integer of at least 1, not {number!r}")
    return number


def _checked(kind: Kind, given: Parameters) -> Parameters:
    """The given parameters and the defaults of the others."""
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
    """Why there is no such fault; None if there is."""
    if fault.phase not in kind.phases:
        return f"{kind.name} happens {' or '.join(kind.phases)} the service carries out the request, not {fault.phase}"
    if fault.on in (*STEPS, WEBHOOK) and fault.on not in kind.steps:
        return wrong_step(kind, fault.on)
    if isinstance(fault.probability, bool) or not 0 < fault.probability <= 1:
        return f"probability must be more than 0 and at most 1, not {fault.probability!r}"
    if fault.phase == "before" and kind.name == "reset" and fault["at_byte"] is not None:
        return "reset: at_byte counts bytes of the response, and in phase `before` there is none"
    if fault.phase == "after":
        return _cannot_be_after(kind.name, fault.parameters)
    return None


def wrong_step(kind: Kind, on: str) -> str:
    """The message for a kind that does not apply to `on`."""
    return f"{kind.name} happens at {', '.join(kind.steps)}, not at {on}"


def _cannot_be_after(kind: str, parameters: Parameters) -> str | None:
    if kind == "status" and parameters["status"] in _ONLY_BEFORE:
        return f"the service sends {parameters['status']} only before it has accepted anything"
    return None
