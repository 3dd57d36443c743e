"""A paid call is not torn down by a cancellation: its answer still counts, for a bounded time."""

import asyncio
from typing import Any

import anyio
import httpx
import pytest
import trio

from client.harness import CREATED, KEY, create, get
from magic_hour_client import AsyncClient, PaymentRequired
from magic_hour_client._runtime import transport

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """On which event loops anyio's plugin runs the tests."""
    return request.param


class Slow:
    """A service that answers when told to."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.arrived = anyio.Event()
        self.answer = anyio.Event()
        self.torn_down = False
        self.client = AsyncClient(
            KEY,
            base_url="https://api.example",
            http_client=httpx.AsyncClient(transport=httpx.MockTransport(self._serve)),
        )

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        self.arrived.set()
        try:
            await self.answer.wait()
        except BaseException:
            self.torn_down = True
            raise
        return httpx.Response(self.status, json=CREATED)


async def patience() -> None:
    """Everybody gets a turn, many times."""
    for _ in range(100):
        await anyio.lowlevel.checkpoint()


async def noted(slow: Slow, seen: list[BaseException], work: Any = create) -> None:
    """Make a call, and put what it raises into `seen`."""
    try:
        await work(slow.client)
    except BaseException as error:
        seen.append(error)
        raise


async def cancelled_in_flight(slow: Slow, seen: list[BaseException], work: Any = create) -> None:
    """Cancel a call once the service has it."""
    async with anyio.create_task_group() as group:
        group.start_soon(noted, slow, seen, work)
        await slow.arrived.wait()
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await patience()
            if work is create:
                assert not seen, "it did not wait for the answer"
            slow.answer.set()


@pytest.mark.anyio
async def test_a_cancelled_create_waits_for_its_answer_and_carries_it() -> None:
    slow, seen = Slow(), []
    await cancelled_in_flight(slow, seen)
    [error] = seen
    assert isinstance(error, anyio.get_cancelled_exc_class())
    assert error.result.id == "cuid-1"  # type: ignore[attr-defined]
    assert not slow.torn_down


@pytest.mark.anyio
async def test_a_cancelled_get_ends_at_once() -> None:
    slow, seen = Slow(), []
    await cancelled_in_flight(slow, seen, get)
    assert slow.torn_down
    assert not hasattr(seen[0], "result")


@pytest.mark.anyio
async def test_without_an_answer_the_cancellation_ends_after_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SHIELD_SECONDS", 0.2)
    slow = Slow()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(create, slow.client)
            await slow.arrived.wait()
            group.cancel_scope.cancel()
    assert slow.torn_down


@pytest.mark.anyio
async def test_a_refusal_during_a_cancellation_leaves_the_cancellation() -> None:
    slow, seen = Slow(402), []
    await cancelled_in_flight(slow, seen)
    assert isinstance(seen[0], anyio.get_cancelled_exc_class())
    assert not hasattr(seen[0], "result")


@pytest.mark.anyio
async def test_a_call_of_a_task_already_cancelled_is_not_sent() -> None:
    slow, seen = Slow(), []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await noted(slow, seen)
    assert not slow.arrived.is_set()
    assert seen[0].unsent is True


@pytest.mark.anyio
async def test_uncancelled_calls_pass_results_and_errors_through() -> None:
    slow = Slow()
    slow.answer.set()
    assert (await create(slow.client)).id == "cuid-1"
    slow.status = 402
    with pytest.raises(PaymentRequired):
        await create(slow.client)


@pytest.mark.anyio
async def test_a_deadline_of_the_callers_in_anyio() -> None:
    slow, seen = Slow(), []

    async def answer_late() -> None:
        await slow.arrived.wait()
        await anyio.sleep(0.1)
        slow.answer.set()

    async with anyio.create_task_group() as group:
        group.start_soon(answer_late)
        with anyio.move_on_after(0.02) as scope:
            await noted(slow, seen)
        assert scope.cancelled_caught
    assert seen[0].result.id == "cuid-1"


def test_cancelling_an_asyncio_task() -> None:
    async def main(times: int) -> None:
        slow = Slow()
        task = asyncio.ensure_future(create(slow.client))
        await slow.arrived.wait()
        for _ in range(times):
            task.cancel()
            await patience()
            assert not task.done()
        slow.answer.set()
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert raised.value.result.id == "cuid-1"  # type: ignore[attr-defined]

    asyncio.run(main(1))
    asyncio.run(main(3))


def test_a_timeout_of_asyncio_holds_the_reply_in_its_cause() -> None:
    async def main() -> None:
        slow = Slow()
        asyncio.get_running_loop().call_later(0.1, slow.answer.set)
        with pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(0.02):
                await create(slow.client)
        cause = raised.value.__cause__ or raised.value.__context__
        assert isinstance(cause, asyncio.CancelledError)
        assert cause.result.id == "cuid-1"  # type: ignore[attr-defined]

    asyncio.run(main())


def test_trio_without_anyio_around_it() -> None:
    async def main() -> None:
        slow, seen = Slow(), []

        async with trio.open_nursery() as nursery:
            nursery.start_soon(noted, slow, seen)
            await slow.arrived.wait()
            nursery.cancel_scope.cancel()
            slow.answer.set()
        assert seen[0].result.id == "cuid-1"

    trio.run(main)
