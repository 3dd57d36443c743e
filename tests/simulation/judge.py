"""What has to hold after every run, told by the ledger and the record of what truly happened.

Rule: a list. Each rule stands with its kind, in `money`, `timing`, `transferred` and `conventions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from . import conventions, money, timing, transferred
from .facts import SECRETS, Rule, job_of, told_files
from .outside import World
from .scenario import CallRecord, User

RULES: list[Rule] = [
    money.charged_once,
    money.sent_once,
    money.every_job_is_told,
    money.named,
    money.credits_are_those_of_the_ledger,
    money.nothing_after_a_mistake,
    timing.in_time,
    timing.retry_after_is_kept,
    timing.time_for_an_answer,
    timing.looks_keep_to_the_schedule,
    timing.bounded,
    timing.ends_at_once,
    timing.gives_up_only_at_the_deadline,
    timing.succeeds_in_good_weather,
    transferred.files_are_the_outputs,
    transferred.one_output_costs_no_other,
    transferred.answers_are_about_the_job,
    transferred.fresh_url_after_an_expired_one,
    transferred.uploads_are_the_files,
    conventions.events_make_sense,
    conventions.streams_are_put_back,
    conventions.says_no_secret,
    conventions.survives_pickling,
    conventions.ends_as_expected,
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
            found.append(f"{job.id} was charged, and nobody knows of it")
    found += _on_disk(calls, world, mine, folders)
    answered = [x.accepted for call in calls for x in call.exchanges if x.accepted and x.answer is not None]
    found += [f"{id} is not in the log" for id in answered if not any(f"id={id} " in line for line in log)]
    found += [f"a secret is in the log: {line!r}" for line in log if any(secret in line for secret in SECRETS)]
    return found


def _on_disk(calls: list[CallRecord], world: World, mine: dict[Path, bytes], folders: list[Path]) -> Iterator[str]:
    told = Counter(path for call in calls for path in told_files(call))
    interrupted = [job_of(call, world) for call in calls if call.interrupted_at is not None]
    whole = [content for job in interrupted if job for output in job.outputs for content in output.versions]
    for path, content in mine.items():
        if not path.exists() or path.read_bytes() != content:
            yield f"the user's own {path.name} was overwritten"
    for path, count in told.items():
        if count > 1:
            yield f"{path.name} was given to {count} outputs"
    for path in sorted(path for folder in folders if folder.exists() for path in folder.iterdir()):
        if path.suffix in (".part", ".probe"):
            yield f"a leftover: {path.suffix}"
        elif path not in mine and path not in told and path.read_bytes() not in whole:
            yield f"{path.name} was saved and told to nobody"
