"""What is left to do about a submission, and how a person settles what nothing else can find out.

Rule: an entry with an id is never settled as "not charged", and nothing is settled whose program may still send it.
"""

from __future__ import annotations

import attrs

from magic_hour_client._runtime.redaction import escaped
from magic_hour_client.errors import InvalidArgument

from .entries import Book, Entry, State
from .log import is_doubtful
from .owners import NOBODY, is_running

UNKNOWN = "unknown"
NOT_SAVED = "not saved"


def state_of(entry: Entry) -> str:
    """The state of a submission for people, which depends on whether its program is still running."""
    if is_doubtful(entry):
        return UNKNOWN
    if entry.state is State.ACCEPTED:
        return "in progress" if is_running(entry.owner) else NOT_SAVED
    if entry.state is State.RESERVED:
        return "uploading" if is_running(entry.owner) else "not sent"
    return str(entry.state)


def needs_something(entry: Entry) -> bool:
    """Whether something is still to be done, or is being done."""
    return entry.state.open and state_of(entry) != "not sent"


def found(book: Book, which: str) -> Entry:
    """The open entry with this id, name or token.

    Raises:
        InvalidArgument: there is none, or there are several.
    """
    entries = [each for each in book.entries.values() if each.state.open and which in (each.id, each.name, each.token)]
    if len(entries) == 1:
        return entries[0]
    how_many = f"{len(entries)} open jobs" if entries else "no open job"
    remedy = f"name one of {', '.join(each.token for each in entries)}" if entries else "list them"
    raise InvalidArgument(f"the job log has {how_many} called {escaped(which)}", remedy, field="which")


def settled(entry: Entry, project_id: str | None, *, not_charged: bool) -> Entry:
    """The entry after a person has settled it: there is a job, or none, or nothing more is needed.

    Raises:
        InvalidArgument: it cannot be settled like this.
    """
    if entry.id is not None and (project_id is not None or not_charged):
        raise InvalidArgument(f"the id of its job is known: {escaped(entry.id)}", "resume it", field="which")
    if entry.id is None and not is_doubtful(entry):
        raise InvalidArgument("its program may still be running", "wait until it has ended", field="which")
    state = State.ACCEPTED if project_id is not None else State.NOT_CHARGED if not_charged else State.CLOSED
    return attrs.evolve(entry, state=state, id=project_id or entry.id, owner=NOBODY)
