"""A batch that the account cannot pay for says so before its first job; a question that fails stops nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batch.local_batch import PRICE, ROWS, LocalBatch, image_rows
from magic_hour_client.endpoints import BALANCE
from magic_hour_client.errors import InvalidArgument
from magic_hour_emulator import Emulator
from magic_hour_workflows.batch import Batch
from magic_hour_workflows.batch._balance import check_balance
from magic_hour_workflows.batch._rows import Row
from magic_hour_workflows.errors import BalanceTooLow

assert BALANCE is not None
ASK = BALANCE[0]


pytestmark = pytest.mark.usefixtures("small_pictures")
LONG = [pytest.param(backend, marks=pytest.mark.long) for backend in ("asyncio", "trio")]


@pytest.fixture(params=["sync", *LONG])
def each(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> LocalBatch:
    """The balance is asked for before the workers start, in all of them by the same function."""
    return LocalBatch(emulator, tmp_path, request.param)


@pytest.mark.parametrize("backend", ["sync", "asyncio", "trio"])
def test_too_few_credits_stop_it_before_the_first_job(backend: str, emulator: Emulator, tmp_path: Path) -> None:
    each = LocalBatch(emulator, tmp_path, backend)
    each.emulator.ledger.set_balance(4 * PRICE)
    with pytest.raises(BalanceTooLow) as caught:
        each.run(image_rows(5))
    assert (caught.value.needed, caught.value.balance) == (5 * PRICE, 4 * PRICE)
    assert "at least 25 credits, and the account has 20, so nothing was submitted" in str(caught.value)
    assert not each.emulator.ledger.creates


def test_enough_credits_or_a_budget_below_them_let_it_run(each: LocalBatch) -> None:
    each.emulator.ledger.set_balance(4 * PRICE)
    assert len(each.run(image_rows(4))) == 4
    each.emulator.ledger.set_balance(1)
    assert each.run(image_rows(4)) == {}, "what is paid for needs no credits, and nothing is asked"


def test_only_the_rows_without_a_job_count(each: LocalBatch) -> None:
    each.run(image_rows(4))
    each.emulator.ledger.set_balance(PRICE)
    with pytest.raises(BalanceTooLow) as caught:
        each.run(image_rows(6))
    assert caught.value.needed == 2 * PRICE
    assert len(each.run(image_rows(5))) == 1


def test_no_more_than_the_budget_counts(each: LocalBatch) -> None:
    each.emulator.ledger.set_balance(2 * PRICE)
    results = each.run(image_rows(5), max_credits=2 * PRICE)
    assert len(each.emulator.ledger.creates) == 2
    assert len(results) == 5


def test_it_can_be_turned_off(each: LocalBatch) -> None:
    each.emulator.ledger.set_balance(2 * PRICE)
    each.run(image_rows(3), check_balance=False)
    assert len(each.emulator.ledger.creates) == 2


def test_a_question_that_fails_is_reported_and_stops_nothing(each: LocalBatch) -> None:
    warnings: list[str] = []
    each.emulator.faults.add("status", on=ASK, status=403)
    assert len(each.run(image_rows(2), on_warning=warnings.append)) == 2
    [warning] = warnings
    assert "so it was not checked" in warning


class Waiting:
    """A store with one row that waits."""

    def unsubmitted(self) -> list[Row]:
        return ROWS[:1]

    def settings(self) -> dict[str, Any]:
        return {"max_credits": None, "committed": 0}


def test_a_balance_that_is_not_said_is_reported() -> None:
    warnings: list[str] = []
    store: Any = Waiting()
    check_balance(store, lambda: None, warnings.append)
    assert warnings == ["the service did not say the balance of the account, so it was not checked"]


@pytest.mark.parametrize("value", ["no", 1, None])
def test_the_option_is_a_flag(value: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="check_balance"):
        Batch(image_rows(1), output=tmp_path, database=tmp_path / "b", token="x", check_balance=value)
