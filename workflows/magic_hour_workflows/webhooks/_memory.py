"""Which events have arrived: the service sends each at least once, in no promised order, and without an id of its own.

Rule: an event is known by the id of its job and its type. Memory is bounded; the jobs that were heard of least recently
are forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict

import attrs

from magic_hour_client.errors import InvalidArgument

from ._events import WebhookEvent

JOBS_REMEMBERED = 20_000
"""Jobs; at about 500 bytes each. The service repeats an event for up to 24 hours (spec/README.md)."""


@attrs.define
class _Heard:
    """What has arrived about one job."""

    types: set[str] = attrs.field(factory=set)
    ended: bool = False


class Memory:
    """The jobs that events have arrived about. Not thread-safe by itself.

    Raises:
        InvalidArgument: `most` is not a number of jobs.
    """

    def __init__(self, most: object) -> None:
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise InvalidArgument("expected an integer of at least 1", field="remember")
        self._most = most
        self._jobs: OrderedDict[str, _Heard] = OrderedDict()

    def is_old(self, event: WebhookEvent) -> bool:
        """Whether the event has arrived before, or was overtaken by one that ended its job.

        An event without an id is new each time: nothing says which others it repeats.
        """
        heard = self._jobs.get(event.id or "")
        return heard is not None and (event.type in heard.types or (heard.ended and not event.ends_job))

    def has_ended(self, id: str) -> bool:
        """Whether an event has said that the job does not change any more."""
        heard = self._jobs.get(id)
        return heard is not None and heard.ended

    def add(self, event: WebhookEvent) -> None:
        """Remember an event."""
        if (id := event.id) is None:
            return
        heard = self._jobs.setdefault(id, _Heard())
        self._jobs.move_to_end(id)
        heard.types.add(event.type)
        heard.ended |= event.ends_job
        while len(self._jobs) > self._most:
            self._jobs.popitem(last=False)
