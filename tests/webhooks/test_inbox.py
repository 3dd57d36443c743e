"""An inbox calls each handler once for each event, in the background, and loses none in silence."""

from __future__ import annotations

import logging
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from magic_hour_workflows import errors
from magic_hour_workflows.webhooks import Inbox, WebhookEvent, sign
from magic_hour_workflows.webhooks import _handlers as handlers
from magic_hour_workflows.webhooks import _inbox as inbox_module
from webhook_events import LIMIT, SECRET, event_body

LOOPS = ("asyncio", "trio")


def deliver(inbox: Inbox, type: str = "image.completed", id: str = "job-1", **payload: Any) -> WebhookEvent | None:
    body = event_body(type, id, **payload)
    return inbox.receive(body, sign(body, SECRET))


def test_handlers_are_called_by_the_patterns_they_named() -> None:
    called: list[str] = []
    with Inbox(SECRET) as inbox:
        patterns: dict[str, tuple[str, ...]] = {
            "one": ("image.completed",),
            "two": ("image.completed", "video.completed", "*.completed"),
            "ends": ("*.errored",),
            "all": ("*",),
        }
        for name, given in patterns.items():
            inbox.on(*given)(lambda event, name=name: called.append(f"{name} {event.type}"))  # type: ignore[misc]
        for type in ("image.completed", "audio.errored", "scent.smelt", "video.[x]"):
            deliver(inbox, type, id=type)
    assert sorted(called) == [
        "all audio.errored",
        "all image.completed",
        "all scent.smelt",
        "all video.[x]",
        "ends audio.errored",
        "one image.completed",
        "two image.completed",
    ]


def test_on_leaves_the_handler_as_it_is_and_refuses_what_never_happens() -> None:
    inbox = Inbox(SECRET)

    def handler(event: WebhookEvent) -> None: ...

    assert inbox.on("image.completed")(handler) is handler
    for patterns in ((), (handler,), (3,), ("image.complete",), ("scent.smelt",)):
        with pytest.raises(errors.InvalidArgument) as caught:
            inbox.on(*patterns)  # type: ignore[arg-type]
        assert caught.value.field == "patterns"
    assert "did you mean" in str(_refused(lambda: inbox.on("image.complete")))
    with pytest.raises(errors.InvalidArgument, match="handler"):
        inbox.on("*")(3)  # type: ignore[type-var]
    for wrong in ({"remember": 0}, {"remember": True}, {"on_error": 3}, {"tolerance": -1}):
        with pytest.raises(errors.InvalidArgument, match=next(iter(wrong))):
            Inbox(SECRET, **wrong)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgument, match="secrets"):
        Inbox()
    assert SECRET not in repr(inbox)


def _refused(call: Callable[[], object]) -> BaseException:
    with pytest.raises(errors.InvalidArgument) as caught:
        call()
    return caught.value


def test_an_event_counts_once_and_not_after_the_end_of_its_job() -> None:
    called: list[str] = []
    with Inbox(SECRET) as inbox:
        inbox.on("*")(lambda event: called.append(f"{event.id} {event.type}"))
        received = [
            deliver(inbox, type, id) is not None
            for id, type in [
                ("a", "video.started"),
                ("a", "video.started"),
                ("a", "video.completed"),
                ("a", "video.completed"),
                ("b", "video.completed"),
                ("b", "video.started"),
                ("b", "video.canceled"),
            ]
        ]
    assert received == [True, False, True, False, True, False, False]
    assert Counter(called) == Counter(["a video.started", "a video.completed", "b video.completed"])


def test_memory_has_an_end_and_forgets_what_it_heard_of_least_recently() -> None:
    with Inbox(SECRET, remember=2) as inbox:
        types = {"started": "image.started", "completed": "image.completed"}
        received = [
            deliver(inbox, types[type], id) is not None
            for id, type in [("a", "started"), ("b", "started"), ("a", "completed"), ("c", "started")]
        ]
        assert len(inbox._memory._jobs) == 2
        received += [deliver(inbox, "image.started", id) is not None for id in ("a", "c", "b")]
    assert received == [True, True, True, True, False, False, True]


def test_an_event_without_an_id_is_always_new() -> None:
    with Inbox(SECRET) as inbox:
        assert deliver(inbox, "a.b", "")
        assert deliver(inbox, "a.b", "")


def test_a_slow_handler_delays_neither_the_answer_nor_the_others() -> None:
    release, called, others = threading.Event(), threading.Event(), threading.Event()
    with Inbox(SECRET) as inbox:

        @inbox.on("image.completed")
        def slow(event: WebhookEvent) -> None:
            called.set()
            assert release.wait(LIMIT)

        inbox.on("image.errored")(lambda event: others.set())
        assert deliver(inbox)  # returns while the handler has not
        assert called.wait(LIMIT)
        assert deliver(inbox, "image.errored", "job-2")
        assert others.wait(LIMIT)
        release.set()


@pytest.mark.parametrize("loop", LOOPS)
def test_async_handlers_run_in_the_event_loop_of_the_program(loop: str) -> None:
    threads: list[threading.Thread] = []

    async def main() -> None:
        async with Inbox(SECRET) as inbox:
            release = anyio.Event()

            @inbox.on("*.completed")
            async def slow(event: WebhookEvent) -> None:
                await release.wait()
                threads.append(threading.current_thread())

            inbox.on("*.completed")(lambda event: threads.append(threading.current_thread()))
            assert deliver(inbox)
            with pytest.raises(RuntimeError, match="aclose"):
                inbox.close()
            release.set()

    anyio.run(main, backend=loop)
    assert sorted(thread is threading.main_thread() for thread in threads) == [False, True]


def test_an_async_handler_of_a_sync_program_gets_an_event_loop() -> None:
    called: list[str | None] = []
    with Inbox(SECRET) as inbox:

        class Handler:
            async def __call__(self, event: WebhookEvent) -> None:
                await anyio.lowlevel.checkpoint()
                called.append(event.id)

        inbox.on("*")(Handler())
        deliver(inbox)
    assert called == ["job-1"]


@pytest.mark.parametrize("loop", [None, *LOOPS])
def test_what_a_handler_raises_is_logged_and_reported(loop: str | None, caplog: pytest.LogCaptureFixture) -> None:
    reported: list[tuple[str | None, BaseException]] = []
    fine: list[str] = []

    def on_error(event: WebhookEvent, error: BaseException) -> None:
        reported.append((event.id, error))
        raise KeyError("on_error fails too")

    def use(inbox: Inbox) -> None:
        @inbox.on("*")
        async def fails(event: WebhookEvent) -> None:
            raise ZeroDivisionError(SECRET)

        @inbox.on("*")
        def exits(event: WebhookEvent) -> None:
            sys.exit(3)

        inbox.on("*")(lambda event: fine.append("called"))
        deliver(inbox)

    async def main() -> None:
        async with Inbox(SECRET, on_error=on_error) as inbox:
            use(inbox)

    if loop is None:
        with Inbox(SECRET, on_error=on_error) as inbox:
            use(inbox)
    else:
        anyio.run(main, backend=loop)
    assert sorted(type(error).__name__ for _, error in reported) == ["SystemExit", "ZeroDivisionError"]
    assert fine == ["called"]
    assert caplog.text.count("did not finish image.completed of job 'job-1'") == 2
    assert caplog.text.count("on_error raised") == 2


@pytest.mark.parametrize("loop", LOOPS)
def test_a_handler_that_ends_with_its_event_loop_is_reported(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    reported: list[str | None] = []
    inbox = Inbox(SECRET, on_error=lambda event, error: reported.append(event.id))

    async def main() -> None:
        started = anyio.Event()

        @inbox.on("*")
        async def endless(event: WebhookEvent) -> None:
            started.set()
            await anyio.sleep_forever()

        deliver(inbox)
        await started.wait()

    anyio.run(main, backend=loop)
    assert reported == ["job-1"]
    assert "did not finish" in caplog.text
    inbox.close()


def test_no_thread_for_a_handler_is_reported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[str] = []
    with Inbox(SECRET, on_error=lambda event, error: reported.append(str(error))) as inbox:
        inbox.on("*")(lambda event: None)

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(handlers.Handlers, "_pool", refuse)
            deliver(inbox)
    assert reported == ["can't start new thread"]


def test_a_closed_or_busy_inbox_asks_to_be_sent_the_event_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "_MOST_RUNNING", 1)
    release = threading.Event()
    called: list[str | None] = []
    inbox = Inbox(SECRET)

    @inbox.on("*")
    def slow(event: WebhookEvent) -> None:
        assert release.wait(LIMIT)
        called.append(event.id)

    deliver(inbox, id="a")
    for _ in range(2):
        with pytest.raises(errors.InboxUnavailable, match="wait for their handlers") as caught:
            deliver(inbox, id="b")
    assert caught.value.status == 503
    release.set()
    with inbox._handlers._changed:
        assert inbox._handlers._changed.wait_for(lambda: inbox._handlers.running == 0, LIMIT)
    assert deliver(inbox, id="b"), "it was not remembered as received"
    inbox.close()
    assert sorted(map(str, called)) == ["a", "b"]
    with pytest.raises(errors.InboxUnavailable, match="closed"):
        deliver(inbox, id="c")
    assert deliver(inbox, id="a") is None, "what was received is answered with success"


def test_many_threads_deliver_the_same_events_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each handler is called once per event, in whatever order and however often the events come."""
    caplog.set_level(logging.ERROR)
    threads, jobs = 8, 60
    called: Counter[tuple[str | None, str]] = Counter()
    barrier = threading.Barrier(threads)
    with Inbox(SECRET) as inbox:
        inbox.on("*.completed")(lambda event: called.update([(event.id, event.type)]))
        events = [(type, str(job)) for job in range(jobs) for type in ("video.started", "video.completed")]

        def service(seed: int) -> None:
            mixed = random.Random(seed).sample(events, len(events))
            barrier.wait(LIMIT)
            for type, id in mixed:
                deliver(inbox, type, id)

        senders = [threading.Thread(target=service, args=(seed,)) for seed in range(threads)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(LIMIT)
    assert called == {(str(job), "video.completed"): 1 for job in range(jobs)}
    assert not caplog.records
