"""The balance of the account: what it says about a create without an answer, and that asking stops nothing."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import FakeBackend, call, created, lost, refused, unsent
from magic_hour_client.endpoints import BALANCE, endpoint
from magic_hour_client.errors import InvalidArgument
from magic_hour_emulator import Emulator
from magic_hour_workflows import Client, Estimate, SubmissionUnknown
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._credits import NOT_DOCUMENTED
from magic_hour_workflows._flows.balance import balance, meaning
from magic_hour_workflows._flows.submit import submit
from worlds import World

assert BALANCE is not None
ASK, CREATE = BALANCE[0], "v1.ai_headshot_generator.create"
REQUEST = endpoint(CREATE).request(assets={"image_file_path": "https://a.example/p.png"})
"""A headshot costs 50 credits."""


def has(credits: Any) -> Any:
    return SimpleNamespace(credits=credits)


def submitted(*answers: Any, after: Any = None, timeout: float = 1800, checks: bool = True) -> tuple[FakeBackend, Any]:
    """Submit with these balances and without an answer to the create; returns the backend and the error."""
    backend = FakeBackend().script(ASK, *answers).script(CREATE, after or lost())
    with pytest.raises(SubmissionUnknown) as caught:
        run_sync(submit(call(backend, timeout, check_balance=checks), REQUEST))
    return backend, caught.value


@pytest.mark.parametrize(
    ("before", "after", "cost", "says"),
    [
        (100, 50, Estimate(50), "probably accepted and charged; this is not conclusive if other jobs run"),
        (100, 100, Estimate(50), "probably not accepted; this is not conclusive if other jobs run"),
        (100, 80, Estimate(50), "other jobs or payments have changed it"),
        (100, 0, Estimate(50), "other jobs or payments have changed it"),
        (100, 600, Estimate(50), "other jobs or payments have changed it"),
        (100, 78, Estimate(20, 24), "probably accepted"),
        (100, 75, Estimate(20, 24), "other jobs or payments"),
        (100, 0, Estimate(20, None), "probably accepted"),
        (100.3, 100.2, Estimate(0, 1), "probably accepted"),
        (100, 50, NOT_DOCUMENTED, "is not documented, so this says little"),
        (100, 100, NOT_DOCUMENTED, "probably not accepted"),
        (100, 50, None, "is not documented, so this says little"),
        (None, 50, Estimate(50), "it could not be read before the submission"),
        (50, None, Estimate(50), "it could not be read after the submission"),
    ],
)
def test_what_follows_from_the_difference(
    before: float | None, after: float | None, cost: Estimate | None, says: str
) -> None:
    assert says in meaning(before, after, cost)


def test_an_unknown_submission_carries_both_and_says_what_follows() -> None:
    backend, error = submitted(has(1000), has(950))
    assert backend.names() == [ASK, CREATE, ASK]
    assert (error.balance_before, error.balance_after) == (1000, 950)
    assert "the balance was 1,000 credits before and is 950 now" in str(error)
    assert "probably accepted" in str(error)
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(copied), copied.balance_after) == (str(error), 950)


def test_it_is_not_asked_for_by_default() -> None:
    backend, error = submitted(has(1000), checks=False)
    assert backend.names() == [CREATE]
    assert (error.balance_before, error.balance_after) == (None, None)
    assert "balance" not in str(error)


@pytest.mark.parametrize("failure", [refused(500), refused(401), lost(), unsent(), has("much"), has(float("nan"))])
def test_a_balance_that_cannot_be_asked_for_stops_nothing(failure: Any) -> None:
    backend, error = submitted(failure, has(950))
    assert backend.names() == [ASK, CREATE, ASK], "asked once, and the create is sent once"
    assert (error.balance_before, error.balance_after) == (None, 950)
    _, error = submitted(has(1000), failure)
    assert (error.balance_before, error.balance_after) == (1000, None)
    assert "could not be read after" in str(error)


def test_an_accepted_job_costs_one_more_request() -> None:
    backend = FakeBackend().script(ASK, has(1000)).script(CREATE, created())
    run_sync(submit(call(backend, check_balance=True), REQUEST))
    assert backend.names() == [ASK, CREATE]


@pytest.mark.parametrize(("timeout", "reserve"), [(60, 5), (20, 2)])
def test_a_create_leaves_time_for_the_second_question(timeout: float, reserve: float) -> None:
    deadlines: list[float] = []

    class Watching(FakeBackend):
        async def send(self, request: Any, deadline: float, *more: Any) -> Any:
            deadlines.append(deadline - 1000)
            return await super().send(request, deadline, *more)

    backend = Watching().script(ASK, has(1)).script(CREATE, created())
    run_sync(submit(call(backend, timeout, check_balance=True), REQUEST))
    assert deadlines[1] == timeout - reserve


def test_an_interruption_keeps_the_balance_before() -> None:
    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    backend = FakeBackend().script(ASK, has(1000)).script(CREATE, stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(submit(call(backend, check_balance=True), REQUEST))
    unknown = caught.value.submission_unknown  # type: ignore[attr-defined]
    assert (unknown.balance_before, unknown.balance_after) == (1000, None)


def test_an_interruption_of_the_second_question_loses_nothing() -> None:
    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    backend = FakeBackend().script(ASK, has(1000), stop).script(CREATE, lost())
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(submit(call(backend, check_balance=True), REQUEST))
    assert caught.value.submission_unknown.operation == CREATE  # type: ignore[attr-defined]


def test_the_balance_is_a_sane_number_or_unknown() -> None:
    for credits, expected in ((12, 12), (0, 0), (-1, None), ("12", None), (None, None)):
        assert run_sync(balance(call(FakeBackend().script(ASK, has(credits))))) == expected


@pytest.mark.parametrize("phase", ["before", "after"])
def test_against_the_service(world: World, emulator: Emulator, options: dict[str, Any], phase: str) -> None:
    """A connection that breaks before or after the service took the create."""
    emulator.ledger.set_balance(1000)
    emulator.faults.add("reset", on="create", phase=phase)
    with pytest.raises(SubmissionUnknown) as caught:
        world.call(
            lambda client: client.v1.ai_headshot_generator.create(
                assets={"image_file_path": "https://example.com/p.png"}
            ),
            check_balance=True,
            **options,
        )
    charged = phase == "after"
    assert (caught.value.balance_before, caught.value.balance_after) == (1000, 950 if charged else 1000)
    assert ("probably accepted" if charged else "probably not accepted") in str(caught.value)
    assert world.call(lambda client: client.runner.balance(), **options) == (950 if charged else 1000)


def test_the_option_is_a_flag() -> None:
    with pytest.raises(InvalidArgument, match="check_balance"):
        Client(token="x", check_balance="no")  # type: ignore[arg-type]
