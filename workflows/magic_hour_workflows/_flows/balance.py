"""The credits of the account: how many can be spent, and what their change says about a create without an answer.

Rule: the balance is evidence, never a decision. What cannot be asked stops nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magic_hour_client.endpoints import BALANCE, endpoint
from magic_hour_client.errors import InvalidArgument, MagicHourError

from .call import Call, logger

if TYPE_CHECKING:
    from magic_hour_client.types import Request

    from .._credits import Estimate
    from ..errors import SubmissionUnknown

_ASK_SECONDS = 10.0
"""How long one question may take; the create is more important."""
_RESERVE_SECONDS = 5.0
_RESERVE_SHARE = 0.1
"""What is kept of the time of a call to ask once more: five seconds, or a tenth of a shorter timeout."""


async def balance(call: Call) -> float | None:
    """The credits that can be spent now; None if the contract or the service does not say.

    Raises:
        APIError, ConnectionFailed, UnexpectedResponse: it could not be asked.
    """
    if BALANCE is None:
        return None
    request = endpoint(BALANCE[0]).request()

    async def attempt() -> float | None:
        return _number(await call.backend.send(request, call.attempt_deadline()))

    return await call.repeat(request.name, attempt)


def _number(answer: Any) -> float | None:
    from .._results import number

    return None if BALANCE is None else number(getattr(answer, BALANCE[1], None))


def reserve(call: Call) -> float:
    """Seconds at the end of a call that its create must leave for the second question."""
    return min(_RESERVE_SECONDS, _RESERVE_SHARE * call.timeout) if call.check_balance else 0.0


async def note_before(call: Call) -> None:
    """Ask for the balance before a create, if the caller wants that."""
    if call.check_balance:
        call.submission.balance = await _ask(call)


async def compare(call: Call, request: Request[Any], unknown: SubmissionUnknown) -> None:
    """Ask for the balance after a create without an answer, and add to the error what follows from it."""
    if not call.check_balance:
        return
    before, after = call.submission.balance, await _ask(call)
    unknown.balance_before, unknown.balance_after = before, after
    unknown.advise(meaning(before, after, _cost(request)))


async def _ask(call: Call) -> float | None:
    """The balance, asked for once; None if that fails."""
    if BALANCE is None or call.left() <= 0:
        return None
    try:
        return _number(await call.backend.send(endpoint(BALANCE[0]).request(), call.attempt_deadline(_ASK_SECONDS)))
    except MagicHourError as error:
        logger.info("the balance could not be asked: %s", error)
        return None


def _cost(request: Request[Any]) -> Estimate | None:
    from .._credits import estimate

    try:
        return estimate(request.endpoint, request.body)
    except InvalidArgument:  # a field of the price came as `extra_body`, and is no number
        return None


def meaning(before: float | None, after: float | None, cost: Estimate | None) -> str:
    """What two balances say about a job that may have been charged in between.

    >>> from magic_hour_workflows import Estimate
    >>> print(meaning(100, 50, Estimate(50)))
    the balance was 100 credits before and is 50 now: the difference is what the job costs (50 credits), so it was \
probably accepted and charged; this is not conclusive if other jobs run
    """
    if before is None or after is None:
        when = "before" if before is None else "after"
        return f"the balance could not be compared: it could not be read {when} the submission"
    spent = round(before - after, 6)
    known = f"the balance was {before:,.10g} credits before and is {after:,.10g} now"
    doubt = "this is not conclusive if other jobs run"
    if spent == 0:
        return f"{known}: nothing was charged so far, so the job was probably not accepted; {doubt}"
    if cost is None or cost.highest is None:
        return f"{known}: the price of the job is not documented, so this says little"
    if cost.credits <= spent and (cost.at_most is None or spent <= cost.at_most):
        fits = f"the difference is what the job costs ({cost}), so it was probably accepted and charged"
        return f"{known}: {fits}; {doubt}"
    return f"{known}: the difference is not what the job costs ({cost}), so other jobs or payments have changed it"
