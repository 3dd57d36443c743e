"""What calls return: the job that was submitted, and its outcome.

Rule: plain values that can be printed, compared and pickled.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from magic_hour_client._runtime.redaction import escaped
from magic_hour_client.types import JobKind

Kind: TypeAlias = JobKind
"""What a job makes, or the kind of a free task; the contract has the list."""


LARGEST_NUMBER = 1e9
"""The largest number that is believed from the service. The costliest job of the price list (spec/README.md), 300 s of
video at 576 credits a second, costs 172,800; and a million rows at this bound still add up exactly in a float."""


def number(value: object) -> float | None:
    """A number from the service, such as credits: finite, not negative, not absurdly large. Anything else is unknown.

    So no value can spoil a sum, a budget or a display: code that needs a number uses the estimate instead of None.

    >>> number(50), number(0.5), number(float("nan")), number(-1), number(10**30), number("50"), number(True)
    (50, 0.5, None, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST_NUMBER:
        return None
    return abs(value)  # 0.0 for -0.0, which would be shown as "-0"


def plain_number(value: object, *, whole: bool = False) -> float | None:
    """A number from the caller, of any library such as NumPy, as one of Python's own; None for anything else.

    >>> from fractions import Fraction
    >>> plain_number(Fraction(5, 2)), plain_number(True), plain_number(2.0, whole=True), plain_number(float("nan"))
    (2.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        return None
    plain = int(value) if isinstance(value, Integral) else float(value)
    return plain if isinstance(plain, int) or math.isfinite(plain) else None


@attrs.frozen
class Job:
    """A job that the service accepted."""

    kind: Kind
    id: str
    credits_charged: float | None = None
    name: str | None = None
    known: bool = True
    """False if the id came from the caller, so that there may be no such job."""

    @property
    def shown_id(self) -> str:
        """The id for messages and logs. The service chose it, so it may contain control characters."""
        return escaped(self.id)


@attrs.frozen(kw_only=True)
class Result:
    """The result of a job.

    Attributes:
        id: the id of the job; with it, any process can continue the job.
        kind: what it makes, such as `image` or `video`, which says where to ask for it.
        status: the last known status; `complete` unless the call did not wait. An unknown one is possible.
        credits_charged: the credits charged, as last reported by the service, or None if unknown.
        downloaded_paths: the files that were saved, in the order of the outputs.
        project: the service's last answer about the job, or None if it was not asked.

    Example:
        >>> Result(id="cuid-example", kind="image", status="complete", credits_charged=5).downloaded_paths
        []
    """

    id: str
    kind: Kind
    status: str
    credits_charged: float | None
    downloaded_paths: list[Path] = attrs.field(factory=list)
    project: Any = attrs.field(default=None, repr=False)
