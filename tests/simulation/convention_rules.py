"""Rules about conventions: events, streams, secrets, pickling.

Rule: one rule, one function. Its messages are clear without the trace.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator

from magic_hour_workflows.errors import (
    MagicHourError,
)
from magic_hour_workflows.events import Created, Downloading, StatusChanged, Uploading

from .environment import World
from .facts import SECRETS
from .scenario import CallRecord


def events_make_sense(call: CallRecord, world: World) -> Iterator[str]:
    events = [event for _, event in call.events]
    order = [Uploading, Created, StatusChanged, Downloading]
    ranks = [order.index(type(event)) for event in events if type(event) in order]
    if ranks != sorted(ranks):
        yield f"events in this order: {[order[rank].__name__ for rank in ranks]}"
    if sum(isinstance(event, Created) for event in events) > 1:
        yield "Created was reported twice"
    statuses = [event.status for event in events if isinstance(event, StatusChanged)]
    if any(one == other for one, other in itertools.pairwise(statuses)):
        yield f"a status that did not change was reported: {statuses}"
    for event in events:
        if isinstance(event, Uploading) and event.sent > event.total:
            yield f"{event.sent} of {event.total} bytes sent"
        if (
            isinstance(event, Downloading)
            and event.total is not None
            and event.received > event.total + len("too much")
        ):
            yield f"{event.received} of {event.total} bytes received"
    if any(at > call.ended for at, _ in call.events):
        yield "an event came after the call had ended"


def streams_are_rewound(call: CallRecord, world: World) -> Iterator[str]:
    for stream, start in call.streams:
        if stream.closed or stream.tell() != start:
            yield "a stream of the caller was not rewound"


def reveals_no_secret(call: CallRecord, world: World) -> Iterator[str]:
    texts = [repr(event) for _, event in call.events]
    if call.result is not None and call.what != "get":
        texts.append(repr(call.result))
    error: BaseException | None = call.error
    while error is not None:
        texts += [str(error), repr(error), repr(vars(error)), *getattr(error, "__notes__", [])]
        error = error.__cause__ or error.__context__
    for text in texts:
        if any(secret in text for secret in SECRETS):
            yield f"a secret is in {text[:200]!r}"


def survives_pickling(call: CallRecord, world: World) -> Iterator[str]:
    values = [
        call.error,
        getattr(call.error, "submission_unknown", None),
        call.result,
        *(event for _, event in call.events),
    ]
    for value in values:
        if isinstance(value, MagicHourError) or (value is not None and not isinstance(value, BaseException)):
            try:
                copy = pickle.loads(pickle.dumps(value))  # noqa: S301  (our own)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is reported)
                yield f"{type(value).__name__} cannot be pickled: {error!r}"
                continue
            if type(copy) is not type(value) or repr(copy) != repr(value) or str(copy) != str(value):
                yield f"{type(value).__name__} is different after pickling"


def ends_as_expected(call: CallRecord, world: World) -> Iterator[str]:
    if call.error is not None and call.interrupted_at is None and not isinstance(call.error, MagicHourError):
        yield f"the call ended with {call.error!r}"
