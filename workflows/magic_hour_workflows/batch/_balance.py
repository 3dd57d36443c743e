"""Whether the account can pay for what a batch still has to submit, checked before its first create.

Rule: only a shortage that is certain stops a batch. A question that fails is reported and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from magic_hour_client.errors import Argument, MagicHourError

from ..errors import BalanceTooLow
from ._manifest import estimate_row
from ._store import Store


def check_balance(store: Store, ask: Callable[[], float | None], warn: Callable[[str], object]) -> None:
    """Compare the least that the rows without a job will cost with the balance.

    Args:
        store: the batch.
        ask: returns the balance, or None if the service does not say it.
        warn: called with a sentence if the balance is not known.

    Raises:
        BalanceTooLow: the account has fewer credits.
    """
    needed = least_needed(store)
    if needed <= 0:
        return
    try:
        balance = ask()
    except MagicHourError as error:
        warn(f"the balance of the account is not known, so it was not checked: {error}")
        return
    if balance is None:
        warn("the service did not say the balance of the account, so it was not checked")
    elif needed > balance:
        least = f"the rows that are left cost at least {needed:,.10g} credits"
        problem = f"{least}, and the account has {balance:,.10g}, so nothing was submitted"
        remedy = ("add credits, or start it anyway: turn off ", Argument("check_balance"))
        raise BalanceTooLow(problem, remedy, needed, balance)


def least_needed(store: Store) -> float:
    """The least that the rows without a job will cost; never more than what is left of the budget."""
    needed = sum(estimate_row(row).credits for row in store.unsubmitted())
    settings = store.settings()
    budget: float | None = settings["max_credits"]
    return needed if budget is None else min(needed, max(0.0, budget - settings["committed"]))
