"""Guards that only an unlucky moment asks for, each with that moment made by hand, on SQLite and without a service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from magic_hour_workflows._sources import Source, from_path
from magic_hour_workflows.batch import _steps as steps
from magic_hour_workflows.batch._claims import Claim
from magic_hour_workflows.batch._connections import connect
from magic_hour_workflows.batch._engine import Queue
from magic_hour_workflows.batch._fleet import Fleet, Instant, Session, StopSignal
from magic_hour_workflows.batch._manifest import planned
from magic_hour_workflows.batch._output_dir import Incoming, OutputDir
from magic_hour_workflows.batch._row_workflow import RowWorkflow
from magic_hour_workflows.batch._rows import Row, RowResult, RowStatus
from magic_hour_workflows.batch._side_file import Note, SideFile
from magic_hour_workflows.batch._steps import Steps
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.batch._submission import Environment, Submitter

ROWS = [
    Row(key=key, endpoint="ai_image_generator", parameters={"image_count": 1, "style": {"prompt": "x"}})
    for key in "abc"
]

NOTE = Note(key="a", name="a", token="token", estimate=5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(connect(f"sqlite:///{tmp_path / 'guards'}"))
    opened.set_rows(planned(ROWS))
    yield opened
    opened.close()


def at_work(store: Store, folder: Path, stop_signal: StopSignal) -> Steps:
    client: Any = None  # nothing here talks to the service
    submitter = Submitter(store.claims, Session(store.engine, "worker"), SideFile([]), stop_signal, "worker")
    return Steps(client, store, OutputDir(folder / "out", "w"), stop_signal, submitter, lambda *_: None)


async def until(condition: Callable[[], object]) -> None:
    """Let the others go on until they have come so far; what never comes so far fails here."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (there is no event for "it waits for a lock")
            await asyncio.sleep(0)


# Claims


def test_a_row_that_stood_in_line_when_the_batch_was_halted_claims_nothing(store: Store, tmp_path: Path) -> None:
    stop_signal = StopSignal()
    work = at_work(store, tmp_path, stop_signal)

    async def story() -> None:
        await work.submitter._claim_lock.acquire()  # another row asks for its claim
        task = asyncio.ensure_future(work.submitter._claim(NOTE))
        await asyncio.sleep(0)  # it has passed the gate, and stands in line
        stop_signal("Ctrl-C")
        work.submitter._claim_lock.release()
        await until(lambda: stop_signal.parked or task.done())
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(story())
    assert store.claims.job_of("a") is None
    assert store.settings()["committed"] == 0


def test_a_claim_asked_for_again_after_its_answer_was_lost_is_still_granted(store: Store) -> None:
    def ask(token: str) -> Claim:
        return store.claims.claim("a", name="a", estimate=5, token=token, worker="w")

    assert [ask("mine"), ask("mine"), ask("theirs")] == [Claim.GRANTED, Claim.GRANTED, Claim.TAKEN]
    assert store.settings()["committed"] == 5


def test_claims_of_all_are_spaced_by_the_clock_of_the_database(store: Store) -> None:
    def ask(key: str) -> Claim:
        return store.claims.claim(key, name=key, estimate=5, token=key, worker="w")

    store.configure(rate=1.0)
    assert [ask("a"), ask("b")] == [Claim.GRANTED, Claim.TOO_SOON]
    assert 59 < store.claims.pause() <= 61
    assert store.claims.job_of("b") is None
    assert store.settings()["committed"] == 5
    with store.transaction() as connection:
        connection.execute(sa.text("UPDATE batch SET next_submit_at = next_submit_at - 61"))
    assert [ask("b"), ask("c")] == [Claim.GRANTED, Claim.TOO_SOON]


def test_a_claim_that_came_after_a_long_stop_is_given_back_and_asked_for_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process stood still between asking and being answered: the moment is another's now."""
    clock, asked = [0.0], []
    claim = store.claims.claim

    def stopped(*args: Any, **named: Any) -> Claim:
        asked.append(store.claims.job_of("a"))
        clock[0] += 60 if len(asked) == 1 else 0
        return claim(*args, **named)

    monkeypatch.setattr(store.claims, "claim", stopped)
    work = at_work(store, tmp_path, StopSignal())
    work.submitter._environment = Environment(now=lambda: Instant(clock[0], clock[0]))
    granted, permit = asyncio.run(work.submitter._claim(NOTE))
    assert (granted, permit.since.boot) == (Claim.GRANTED, 60)
    assert asked == [None, None]  # what was granted first was given back
    assert store.settings()["committed"] == 5


# Uploads


class Lock(asyncio.Lock):
    """A lock, and how often any was asked for."""

    asked = 0

    async def acquire(self) -> Any:
        Lock.asked += 1
        return await super().acquire()


def files(folder: Path, names: str) -> list[Source]:
    return [from_path(folder / f"{name}.png", "image", "files") for name in names]


def test_rows_with_the_same_files_in_another_order_do_not_wait_for_each_other(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row holds `a` while two others stand in line for it: one wants `b` afterwards, the other took it before."""
    sent: list[str] = []

    async def story() -> list[list[str]]:
        uploading = asyncio.Event()

        async def upload(call: Any, sources: Sequence[Source]) -> list[str]:
            await uploading.wait()
            sent.extend(source.name for source in sources)
            return [f"remote/{source.name}" for source in sources]

        monkeypatch.setattr(steps, "upload", upload)
        work = at_work(store, tmp_path, StopSignal())
        monkeypatch.setattr(asyncio, "Lock", Lock)
        call: Any = None
        rows = []
        for names in ("a", "ab", "baa"):
            before = Lock.asked
            rows.append(asyncio.ensure_future(work._remote_paths(call, files(tmp_path, names))))
            await until(lambda before=before: Lock.asked > before or rows[-1].done())
        uploading.set()
        async with asyncio.timeout(10):
            return await asyncio.gather(*rows)

    for name in "ab":
        (tmp_path / f"{name}.png").write_text(name)
    a, b = "remote/a.png", "remote/b.png"
    assert asyncio.run(story()) == [[a], [a, b], [b, a, a]]
    assert sorted(sent) == ["a.png", "b.png"]


# What the end of a run interrupts


@pytest.mark.parametrize("token", [NOTE.token, "of whoever closed it"])
def test_a_submission_that_is_cut_off_is_in_doubt_at_once(store: Store, tmp_path: Path, token: str) -> None:
    """It was "running", and a batch that was stopped by Ctrl-C twice said that nothing is lost."""
    store.claims.claim("a", name="a", estimate=5, token=token, worker="worker")
    cut_off = asyncio.CancelledError()
    cut_off.submission_unknown = "nobody knows"  # type: ignore[attr-defined]
    at_work(store, tmp_path, StopSignal()).submitter._settle(NOTE, cut_off)
    row = store.result("a")
    assert row is not None
    mine = token == NOTE.token
    assert row.status is (RowStatus.DOUBTFUL if mine else RowStatus.RUNNING)
    assert (row.error, row.error_type) == (("nobody knows", "SubmissionUnknown") if mine else (None, None))
    assert store.claims.claim("a", name="a", estimate=5, token="next", worker="w") is Claim.TAKEN
    assert store.settings()["committed"] == 5


# Rows and their files


@pytest.mark.parametrize(("age", "known"), [(0, True), (steps.UPLOADS_LAST + 60, False), (-86400, False)])
def test_an_upload_is_not_believed_to_be_recent_because_a_clock_was_ahead(
    store: Store, tmp_path: Path, age: float, known: bool
) -> None:
    key = ("digest", "image", "png")
    store.add_upload(*key, "remote", time.time() - age)
    assert at_work(store, tmp_path, StopSignal())._recent_uploads([key]) == ({key: "remote"} if known else {})


class NoSteps:
    """Whoever is asked here did not look how the row ended."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} of a row that has ended")


@pytest.mark.parametrize("ended", [RowStatus.SAVED, RowStatus.FAILED, RowStatus.DOUBTFUL, RowStatus.SKIPPED])
def test_a_row_that_has_ended_is_left_as_it_is(store: Store, ended: RowStatus) -> None:
    """The process ended between writing down how the row ended and telling the engine, which begins it again."""
    store.claims.claim("a", name="a", estimate=5, token="token", worker="w")
    store.finish(RowResult(key="a", endpoint="ai_image_generator", status=ended, error="why"))
    stop_signal = StopSignal()
    steps: Any = NoSteps()
    asyncio.run(RowWorkflow(steps, store, stop_signal).run("a"))
    assert stop_signal.reason is None
    found = store.result("a")
    assert found is not None
    assert (found.status, found.error) == (ended, "why")


def test_a_link_is_no_output_that_was_saved_before(tmp_path: Path) -> None:
    """It has the right bytes, today; what it points to is somebody else's."""
    theirs, arrived, out = tmp_path / "theirs.png", tmp_path / "arrived.png", tmp_path / "out"
    out.mkdir()
    for path in (theirs, arrived):
        path.write_bytes(b"the same picture")
    (out / "fox-1.png").symlink_to(theirs)
    [placed] = asyncio.run(OutputDir(out, "w").save(Incoming(key="fox", files=[(1, arrived)], before=list)))
    assert placed.path == out / "fox-1 (2).png"
    assert (out / "fox-1.png").is_symlink()


# Workers


def test_a_worker_that_was_heard_of_at_the_last_moment_is_not_taken_for_silent(store: Store) -> None:
    """Between finding it and taking its rows over; on PostgreSQL nothing else comes between the two."""
    fleet = store.fleet

    def said(seconds: float) -> None:
        with store.transaction() as connection:
            connection.execute(sa.text("UPDATE workers SET seen_at = seen_at - :ago"), {"ago": seconds})

    for worker in ("me", "dead", "alive"):
        fleet.beat(worker, "host")
    said(100)
    fleet.beat("me", "host")

    found: list[str] = []

    @sa.event.listens_for(store.engine, "before_cursor_execute")
    def beat(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        if found and statement.startswith("UPDATE workers"):
            cursor.execute("UPDATE workers SET seen_at = seen_at + 100 WHERE worker = 'alive'")
        elif statement.startswith("SELECT workers.worker"):
            found.append(statement)

    assert fleet.silent(50, "me") == ["dead"]
    assert fleet.silent(50, "me") == []  # it is somebody's now


def test_a_database_whose_clock_jumps_ahead_makes_nobody_silent(store: Store) -> None:
    here = [0.0]
    fleet = Fleet(store.engine, clock=lambda: Instant(here[0], here[0]))

    def silent(database: float, machine: float) -> list[str]:
        fleet._now, here[0] = sa.literal(database), machine
        return fleet.silent(20, "me")

    fleet._now = sa.literal(1000.0)
    fleet.beat("other", "host")
    assert silent(1000, 0) == []
    assert silent(1101, 1) == []  # a hundred seconds in one: it had no time to say that it lives
    assert silent(1119, 19) == []
    assert silent(1122, 22) == ["other"]  # by now it had
    assert silent(1123, 23) == []
    fleet.beat("other", "host")
    assert silent(1142.5, 42.5) == []  # heard of again 19.5 seconds ago


def test_of_no_rows_none_have_ended(store: Store) -> None:
    """The engine takes an empty list for all; every heartbeat would begin what is saved anew."""
    queue = Queue(store)
    try:
        asked: list[Any] = []
        queue._list = lambda **wanted: asked.append(wanted) or []  # type: ignore[method-assign, func-returns-value]
        assert queue.ended([]) == []
        assert asked == []
    finally:
        queue.close()
