"""All answers in a fixed order, each of them once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import chain

from .answer import Answer
from .bodies import distortions, encodings
from .frames import cuts, framing
from .statuses import statuses


@cache
def answers() -> tuple[Answer, ...]:
    """Every answer, without duplicates."""
    return tuple(_distinct(chain(cuts(), framing(), statuses(), distortions(), encodings())))


def _distinct(found: Iterator[Answer]) -> Iterator[Answer]:
    seen = set()
    for answer in found:
        bytes_and_end = (hash(answer.make("cuid-0000")), answer.ends)
        if bytes_and_end not in seen:
            seen.add(bytes_and_end)
            yield answer
