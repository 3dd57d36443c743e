"""What was wrong with a test's use of the service, and its requests as text, for the report of pytest.

Rule: a double charge is decided by the ledger alone. It is a create that was accepted although the same one had been
accepted before and (1) a fault hit the request of the first, so that the program may not have seen its answer, or (2)
both have the same name. The same one has the same operation and body, where uploaded files count by their content; in
case (1) names may differ, because programs invent them.
"""

import hashlib
import json
from typing import Any

from ._jobs import Job
from ._server import Emulator

__all__ = ["problems", "requests"]


def problems(emulator: Emulator, *, repeats: bool = False) -> list[str]:
    """What fails the test; with `repeats`, the same job may be paid for twice."""
    fired = {id(each.fault) for each in emulator.faults.fired}
    found = [
        f"a fault never fired: {fault.kind} on {fault.on}; the code under test sent no such request"
        for fault in emulator.faults.pending
        if id(fault) not in fired
    ]
    return found if repeats else [*found, *_double_charges(emulator)]


def _double_charges(emulator: Emulator) -> list[str]:
    faults = {name: request.fault for request in emulator.requests if request.fault for name in request.issued}
    seen: dict[str, Job] = {}
    found = []
    for create in emulator.ledger.creates:
        job = emulator.service.jobs.find(create.id)
        if job is None:
            continue
        body = {name: value for name, value in job.body.items() if name != "name"}
        content = json.dumps([job.resource, _by_content(emulator, body)], sort_keys=True, default=str)
        first = seen.setdefault(content, job)
        if first is job:
            continue
        if first.id in faults:
            found.append(_twice(first, job, f"the answer to the first was hit by the fault {faults[first.id]}"))
        elif job.name is not None and job.name == first.name:
            found.append(_twice(first, job, f"both are called {job.name!r}"))
    return found


def _twice(first: Job, job: Job, why: str) -> str:
    return (
        f"double charge: {job.resource} was paid for twice ({first.credits_charged} credits for {first.id}, "
        f"{job.credits_charged} for {job.id}); {why}. If that is meant: magic_hour(repeats=True)"
    )


def _by_content(emulator: Emulator, value: Any) -> Any:
    """The value with uploaded files replaced by their hash: two uploads of one file have different paths."""
    if isinstance(value, dict):
        return {name: _by_content(emulator, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_by_content(emulator, each) for each in value]
    path = emulator.service.uploads.find(value) if isinstance(value, str) else None
    return value if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def requests(emulator: Emulator) -> str:
    """The requests of a test, one per line, then what was charged."""
    lines = [
        f"{request.method} {request.path} -> {request.status or 'no answer'}"
        + (f" (fault: {request.fault})" if request.fault else "")
        for request in emulator.requests
    ]
    ledger = emulator.ledger
    sums = f"{len(ledger.creates)} paid jobs, {ledger.charged} credits charged, {ledger.refunded} refunded"
    return "\n".join([*lines, sums])
