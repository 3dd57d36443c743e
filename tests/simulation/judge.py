"""What must hold after every run, according to the ledger and the record of what really happened.

Rule: a list. The rules themselves are in `money_rules`, `time_rules`, `file_rules` and `convention_rules`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from magic_hour_workflows._job_log.entries import State

from . import convention_rules, file_rules, money_rules, time_rules
from .environment import World
from .facts import SECRETS, Rule, job_of, reported_files
from .scenario import CallRecord, User

RULES: list[Rule] = [
    money_rules.charged_once,
    money_rules.sent_once,
    money_rules.every_job_is_reported,
    money_rules.every_job_is_in_the_job_log,
    money_rules.named,
    money_rules.credits_are_those_of_the_ledger,
    money_rules.nothing_after_a_mistake,
    time_rules.in_time,
    time_rules.retry_after_is_respected,
    time_rules.time_for_a_response,
    time_rules.polls_follow_the_schedule,
    time_rules.bounded,
    time_rules.ends_at_once,
    time_rules.gives_up_only_at_the_deadline,
    time_rules.succeeds_without_faults,
    file_rules.files_are_the_outputs,
    file_rules.one_bad_output_costs_no_other,
    file_rules.answers_are_about_the_job,
    file_rules.expired_urls_are_replaced_by_fresh_ones,
    file_rules.uploads_are_the_files,
    convention_rules.events_make_sense,
    convention_rules.streams_are_rewound,
    convention_rules.reveals_no_secret,
    convention_rules.survives_pickling,
    convention_rules.ends_as_expected,
]


def complaints(
    users: list[User], world: World, mine: dict[Path, bytes], folders: list[Path], log: list[str]
) -> list[str]:
    """Everything that is wrong with a run."""
    found = list(world.service.complaints)
    calls = [call for user in users for call in user.calls]
    for call in calls:
        found += [f"{call.who}: {rule.__name__}: {text}" for rule in RULES for text in rule(call, world)]
    known = {id for user in users for id in user.known}
    for job in world.service.ledger:
        if job.id not in known and job.name is not None:
            found.append(f"{job.id} was charged, and no user knows of it")
    found += _in_the_job_log(world)
    found += _on_disk(calls, world, mine, folders)
    answered = [x.accepted for call in calls for x in call.exchanges if x.accepted and x.answer is not None]
    found += [f"{id} is not in the log" for id in answered if not any(f"id={id} " in line for line in log)]
    found += [f"a secret is in the log: {line!r}" for line in log if any(secret in line for secret in SECRETS)]
    return found


def _in_the_job_log(world: World) -> Iterator[str]:
    """Every call has ended, so nothing is half recorded; and what was not charged is not counted as open."""
    names = {job.name for job in world.service.ledger}
    for entry in world.job_log.store.entries():
        if entry.state in (State.RESERVED, State.SUBMITTING):
            yield f"the job log still has {entry.name!r} as {entry.state}"
        if entry.state is State.NOT_CHARGED and entry.name is not None and entry.name in names:
            yield f"the job log has {entry.name!r} as not charged, and it was"


def _on_disk(calls: list[CallRecord], world: World, mine: dict[Path, bytes], folders: list[Path]) -> Iterator[str]:
    reported = Counter(path for call in calls for path in reported_files(call))
    interrupted = [job_of(call, world) for call in calls if call.interrupted_at is not None]
    whole = [content for job in interrupted if job for output in job.outputs for content in output.versions]
    for path, content in mine.items():
        if not path.exists() or path.read_bytes() != content:
            yield f"the user's own {path.name} was overwritten"
    for path, count in reported.items():
        if count > 1:
            yield f"{path.name} was used for {count} outputs"
    for path in sorted(path for folder in folders if folder.exists() for path in folder.iterdir()):
        if path.suffix in (".part", ".probe"):
            yield f"a leftover: {path.suffix}"
        elif path not in mine and path not in reported and path.read_bytes() not in whole:
            yield f"{path.name} was saved and not reported"
