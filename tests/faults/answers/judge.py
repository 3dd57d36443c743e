"""Do a caller and the ledger agree? Compares what was reported about each create with the meaning of its answer.

Rule: trusts the ledger and the answer, never how the client classifies its own errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from magic_hour_client._runtime.redaction import without_secrets
from magic_hour_workflows.batch._rows import RowResult, RowStatus
from magic_hour_workflows.errors import APIError, MagicHourError, RequestTimeout, SubmissionUnknown

from .answer import KEY, Answer, Told

_UNSHOWN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")
"""Characters that must not be printed to a terminal."""
_LONGEST = 3000
"""The longest message, not counting a quoted id."""
_MOST_CREDITS = 1e9
_NOT_WRITTEN = re.compile(r"job (\S+) of row '[^']*' \(name '[^']*'\) was accepted")
"""How a row reports an id that the database does not accept."""


@dataclass(frozen=True)
class Heard:
    """What one caller knows in the end.

    Attributes:
        reported: its class; None for something that accounts for nothing, such as a raw exception.
        id: the id of the job.
        name: the name under which an unknown submission can be found.
        shown: everything that was shown to a person.
        detail: details, to investigate a disagreement.
        credits: the reported credits.
    """

    reported: Told | None
    id: str | None = None
    name: str | None = None
    shown: str = ""
    detail: str = ""
    credits: object = None


def heard(outcome: object) -> Heard:
    """What a result or an exception reports to its caller."""
    if not isinstance(outcome, BaseException):
        return Heard("id", id=getattr(outcome, "id", None), credits=getattr(outcome, "credits_charged", None))
    detail, shown = f"{type(outcome).__name__}: {str(outcome)[:300]!a}", str(outcome)
    if not isinstance(outcome, MagicHourError):
        return Heard(None, detail=detail, shown=shown)
    if outcome.project_id is not None:
        return Heard("id", id=outcome.project_id, detail=detail, shown=shown)
    if isinstance(outcome, SubmissionUnknown):
        return Heard("unknown", name=outcome.name, detail=detail, shown=shown)
    refused = isinstance(outcome, APIError) or (isinstance(outcome, RequestTimeout) and not outcome.sent)
    return Heard("refused" if refused else None, detail=detail, shown=shown)


def of_row(row: RowResult) -> Heard:
    """What a row of a batch reports."""
    detail, shown = f"{row.status} {row.error_type}: {str(row.error)[:300]!a}", row.error or ""
    reported: Told | None = None
    if row.id is not None:
        reported = "id"
    elif found := _NOT_WRITTEN.match(shown):
        return Heard("id", id=found[1], detail=detail, shown=shown)
    elif row.status is RowStatus.DOUBTFUL:
        reported = "unknown"
    elif row.status in (RowStatus.FAILED, RowStatus.WAITING, RowStatus.RUNNING):
        reported = "refused"
    return Heard(reported, id=row.id, name=row.name, detail=detail, shown=shown, credits=row.credits)


def storable(id: str) -> str:
    """An id as it is reported where unpaired surrogates cannot be stored."""
    return re.sub(r"[\ud800-\udfff]", lambda half: ascii(half[0])[1:-1], id)


def disagreements(answer: Answer, heard: Heard, *, name: str, id: str, arrived: int) -> Iterator[str]:
    """Everything on which a caller and the ledger disagree."""
    expected = answer.id(id)
    if arrived != 1 and not (answer.slowed and arrived):
        yield f"the create arrived {arrived} times"
    if heard.reported not in answer.may:
        yield f"reported {heard.reported}, where {' or '.join(sorted(answer.may))} is right"
    if heard.reported == "refused" and answer.accepted:
        yield "an accepted job is called refused"
    if heard.reported == "id" and not answer.accepted:
        yield "an id of a job that was not accepted"
    if heard.reported == "id" and heard.id not in (expected, storable(expected), without_secrets(expected)):
        yield f"the id {str(heard.id)[:40]!a}, where the service said {expected[:40]!a}"
    if heard.reported == "unknown" and heard.name != name:
        yield f"an unknown submission named {heard.name!a}"
    credits = heard.credits
    if credits is not None and not (isinstance(credits, (int, float)) and 0 <= credits <= _MOST_CREDITS):
        yield f"credits {credits!r}"
    yield from _shown(heard.shown, expected)


def _shown(shown: str, id: str) -> Iterator[str]:
    if KEY in shown or KEY.partition("/")[0] in shown:
        yield "the key is shown"
    if found := _UNSHOWN.search(shown):
        yield f"a character that a terminal obeys is shown: {found[0]!a}"
    if len(shown) > _LONGEST + 10 * len(id):
        yield f"{len(shown)} characters are shown"
