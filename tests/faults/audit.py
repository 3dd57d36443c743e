"""Many calls, drawn by seed, each with a fault: compares what was reported to callers with the ledger.

    .venv/bin/python tests/faults/audit.py --calls 1000 --seed 0

Rule: every job is accounted for by the id or the name that was reported to its caller, and by nothing else. The program
exits with 1 if a number that must be 0 is not.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.outcomes import SILENT, SLOWING, Witness, cells
from magic_hour_emulator import Emulator
from magic_hour_emulator.faults import Fault
from magic_hour_workflows.errors import JobFailed, JobTimeout, MagicHourError, SubmissionUnknown
from worlds import World

RETRY_AFTER_SHARE = 0.04
"""The share of calls with a Retry-After: each of them waits a second."""
AFTER_ACCEPT = [fault for fault in cells("create") if fault.phase == "after"]
COME_BACK = [
    fault for fault in cells("create", "get") if fault.kind in SLOWING and fault.parameters.get("retry_after") == 1
]
MUST_BE_0 = (
    "accepted more than once",
    "accepted, not reported",
    "reported differently from charged",
    "unaccounted for",
    "requested too early",
    "faults that did not happen",
)


@dataclass
class Account:
    """What was reported to the callers of one world, and what the judge counted."""

    counts: Counter[str] = field(default_factory=Counter)
    reported: float = 0
    charged: int = 0
    survivors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"  {count:6}  {what}" for what, count in sorted(self.counts.items()) if what not in MUST_BE_0]
        lines += [
            f"  {self.reported:6g}  credits reported, or found by a reported name",
            f"  {self.charged:6}  credits charged in the end",
        ]
        return "\n".join([*lines, *(f"  {self.counts[what]:6}  {what}" for what in MUST_BE_0)])

    @property
    def is_clean(self) -> bool:
        return not any(self.counts[what] for what in MUST_BE_0) and self.reported == self.charged


def draw(calls: int, seed: int) -> list[Fault]:
    """The faults of the calls, in order."""
    source = random.Random(seed)
    return [source.choice(COME_BACK if source.random() < RETRY_AFTER_SHARE else AFTER_ACCEPT) for _ in range(calls)]


def audit(world: World, faults: Sequence[Fault]) -> Account:
    """Make the calls, each with its fault, then wait for the remaining jobs."""
    with Emulator(token="mhk_audit_canary", seed=0, polls_to_complete=1) as emulator:
        account = Account()
        options = {"token": emulator.token, "base_url": emulator.url, "poll_interval": 0.02}
        return world.run(lambda client: _calls(client, emulator, faults, account), **options)  # type: ignore[no-any-return]


def _calls(client: Any, emulator: Emulator, faults: Sequence[Fault], account: Account) -> Generator[Any, Any, Account]:
    for number, fault in enumerate(faults):
        name, since, fired = f"call {number}", len(emulator.requests), len(emulator.faults.fired)
        emulator.faults.add(fault)
        reported: Any
        try:
            reported = yield lambda name=name, fault=fault: client.v1.ai_image_generator.generate(
                image_count=1,
                style={"prompt": "A red fox"},
                name=name,
                download_outputs=False,
                timeout=1 if fault.kind in SILENT or fault.kind == "job_stuck" else 30,
            )
        except MagicHourError as error:
            reported = error
        witness = Witness(emulator, since)
        account.counts["faults that did not happen"] += len(emulator.faults.fired) == fired
        account.counts["requested too early"] += len(witness.early())
        account.counts["asked to retry later"] += fault in COME_BACK
        emulator.faults.clear()
        _record(account, witness, name, reported)
    for job_id in account.survivors:
        if next(job for job in emulator.jobs if job.id == job_id).held:
            emulator.force(job_id, "complete")
        project = yield lambda job_id=job_id: client.v1.image_projects.wait(job_id)
        account.counts["left over, then waited for by id"] += project.status == "complete"
    account.charged = emulator.ledger.charged - emulator.ledger.refunded
    settled = {job.id for job in emulator.jobs if job.status in ("complete", "error", "canceled")}
    creates = emulator.ledger.creates
    unknown = [create for create in creates if create.name not in {f"call {number}" for number in range(len(faults))}]
    account.counts["unaccounted for"] = len({create.id for create in creates} - settled) + len(unknown)
    account.counts["jobs accepted"] = len(creates)
    return account


def _record(account: Account, witness: Witness, name: str, reported: Any) -> None:
    """Record one call: what its caller knows, and what the ledger has under its name."""
    account.counts[type(reported).__name__] += 1
    creates = witness.named(name)
    account.counts["accepted more than once"] += len(creates) > 1
    if isinstance(reported, SubmissionUnknown):
        # The caller looks up the name, as the error says, and so finds the job and its price.
        account.survivors += [create.id for create in witness.named(reported.name)]
        account.reported += sum(create.credits for create in witness.named(reported.name))
        account.counts["accepted, not reported"] += reported.name != name
        return
    job_id = getattr(reported, "project_id", None) or getattr(reported, "id", None)
    account.counts["accepted, not reported"] += [create.id for create in creates] != ([job_id] if job_id else [])
    account.survivors += [job_id] if isinstance(reported, JobTimeout) else []
    credits = getattr(reported, "credits_charged", None) or 0
    account.reported += credits
    paid = witness.net(job_id) if job_id else 0
    account.counts["reported differently from charged"] += credits != paid
    account.counts["refunded"] += isinstance(reported, JobFailed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="how many, half of them sync (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="decides which faults (default: %(default)s)")
    options = parser.parse_args()
    logging.getLogger("magic_hour_workflows").setLevel(logging.ERROR)  # hundreds of lost submissions are expected
    faults = draw(options.calls, options.seed)
    accounts = {name: audit(World(name), faults[half::2]) for half, name in enumerate(("sync", "asyncio"))}
    for name, account in accounts.items():
        print(f"{name}\n{account}")
    clean = all(account.is_clean for account in accounts.values())
    print("every job is accounted for" if clean else "something is wrong: see the lines above that are not 0")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
