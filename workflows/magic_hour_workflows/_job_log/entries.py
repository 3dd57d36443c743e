"""The lines of a job log and what they add up to, as pure functions of text.

Rule: an id is never given up. Once a line has one, only lines about its outcome change the entry; once that is known,
only another id does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import attrs

from .._results import number


class State(StrEnum):
    """The state of a submission."""

    RESERVED = "reserved"
    """Its credits are set aside; nothing was sent yet."""
    SUBMITTING = "submitting"
    """It may be sent from now on; if its program has ended, the outcome is unknown."""
    UNKNOWN = "unknown"
    """It was sent, and it is unknown whether it was accepted."""
    ACCEPTED = "accepted"
    """It has an id and is charged; its outputs are not saved yet."""
    SAVED = "saved"
    COMPLETE = "complete"
    """It is complete, and the caller did not want its outputs saved."""
    FAILED = "failed"
    CANCELED = "canceled"
    NOT_CHARGED = "not charged"
    """It was refused, or not sent; or a person has found that there is no such job."""
    CLOSED = "closed"
    """A person needs nothing more from the job."""

    @property
    def open(self) -> bool:
        """Whether something is still to be done or to be found out."""
        return self in _OPEN


_OPEN = frozenset({State.RESERVED, State.SUBMITTING, State.UNKNOWN, State.ACCEPTED})
_BEFORE_ACCEPTED = frozenset({State.RESERVED, State.SUBMITTING, State.UNKNOWN})


_NEVER = datetime.fromtimestamp(0, UTC)


@attrs.frozen(kw_only=True)
class Entry:
    """One submission.

    Attributes:
        token: identifies it in the log, also before it has an id.
        service: the address it was submitted to.
        operation: the call, such as `v1.ai_image_generator.create`.
        kind: what its job makes.
        name: the name of the job, by which it can be found.
        at: when it was submitted, in UTC.
        owner: the process that is at work on it.
        estimate: the highest known price, in credits; None if the price is unknown.
        state: what is known about it.
        id: the id of the job.
        credits: the credits charged, as last reported.
        directory: where its outputs were to be saved.
        output_name: under which name.
        reason: why the outcome is unknown, or nothing was charged.
    """

    token: str
    service: str = ""
    operation: str = ""
    kind: str = ""
    name: str | None = None
    at: datetime = _NEVER
    owner: str = ""
    estimate: float | None = None
    state: State = State.RESERVED
    id: str | None = None
    credits: float | None = None
    directory: str | None = None
    output_name: str | None = None
    reason: str | None = None

    def counted(self, is_running: Callable[[str], bool]) -> float:
        """The credits that a limit counts for it.

        Args:
            is_running: whether the process of an owner may still be running: only then can something that is merely
                reserved still be sent.
        """
        match self.state:
            case State.NOT_CHARGED:
                return 0.0
            case State.FAILED:  # refunded, and the service reports what is left of the charge
                return self.credits or 0.0
            case State.RESERVED if not is_running(self.owner):
                return 0.0
            case _:
                return self.estimate or 0.0 if self.credits is None else self.credits


_TEXTS = ("service", "operation", "kind", "name", "owner", "id", "directory", "output_name", "reason")
_NUMBERS = ("estimate", "credits")
Line = Mapping[str, Any]


def line_of(entry: Entry, before: Entry | None = None) -> str:
    """The line, in ASCII, that turns `before` into `entry`; all that is known, if it is the first one."""
    data: dict[str, Any] = {"entry": entry.token, "state": entry.state.value}
    if before is None or before.at != entry.at:
        data["at"] = entry.at.isoformat(timespec="seconds")
    for name in (*_TEXTS, *_NUMBERS):
        value = getattr(entry, name)
        if value != (None if before is None else getattr(before, name)) and value not in (None, ""):
            data[name] = value
    return json.dumps(data) + "\n"


def parsed(line: str) -> Line | None:
    """A line as data; None if it is not one, such as the half of a line that a power cut left."""
    try:
        data = json.loads(line)
        if "carried" in data:
            known = isinstance(data["carried"], str) and number(data["credits"]) is not None
            return data if known else None
        found: dict[str, Any] = {"token": data["entry"], "state": State(data["state"])}
        if "at" in data:
            found["at"] = datetime.fromisoformat(data["at"]).astimezone(UTC)
        found |= {name: data[name] for name in _TEXTS if name in data}
        if not all(isinstance(found[name], str) for name in ("token", *_TEXTS) if name in found):
            return None
        return found | {name: number(data[name]) for name in _NUMBERS if name in data}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _is_news(known: Entry, data: Line) -> bool:
    if known.id is None or data.get("id", known.id) != known.id:
        return True
    return data["state"] not in (_OPEN if not known.state.open else _BEFORE_ACCEPTED)


class Book:
    """The entries that the lines of a log add up to."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.carried: dict[str, float] = {}
        """Credits of closed entries that an earlier file had, by address."""
        self.unreadable: int = 0
        """Lines that could not be read."""

    def read(self, lines: Iterable[str]) -> None:
        """Take in more lines."""
        for line in lines:
            if not line.strip():
                continue
            data = parsed(line)
            if data is None:
                self.unreadable += 1
            elif "carried" in data:
                self.carried[data["carried"]] = self.carried.get(data["carried"], 0.0) + data["credits"]
            else:
                self._change(data)

    def _change(self, data: Line) -> None:
        known = self.entries.get(data["token"])
        if known is None:
            self.entries[data["token"]] = Entry(**data)
        elif _is_news(known, data):
            self.entries[known.token] = attrs.evolve(known, **data)

    def of(self, service: str) -> Iterator[Entry]:
        """The entries of one address."""
        return (entry for entry in self.entries.values() if entry.service == service)

    def used(self, service: str, is_running: Callable[[str], bool]) -> float:
        """The credits that a limit counts."""
        return self.carried.get(service, 0.0) + sum(entry.counted(is_running) for entry in self.of(service))

    def open_job(self, service: str, id: str) -> Entry | None:
        """The open entry of a job; None if the log has none."""
        return next((entry for entry in self.of(service) if entry.id == id and entry.state.open), None)

    def compacted(self, is_running: Callable[[str], bool]) -> str:
        """A shorter log that adds up to the same: the open entries, and the credits of all others."""
        credits = dict(self.carried)
        still_open = []
        for entry in self.entries.values():
            if entry.state.open:
                still_open.append(line_of(entry))
            else:
                credits[entry.service] = credits.get(entry.service, 0.0) + entry.counted(is_running)
        carried = [json.dumps({"carried": service, "credits": sum_}) + "\n" for service, sum_ in credits.items()]
        return "".join([*carried, *still_open])
