"""A batch against the emulator: run, stopped, run again, changed, with lost files; each row is charged at most once."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import threading
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from batch.local_batch import PRICE, LocalBatch, edit_row, image_row, image_rows
from magic_hour_client.errors import InvalidArgument
from magic_hour_emulator import Emulator, samples
from magic_hour_workflows.batch import _database as database
from magic_hour_workflows.batch import _row_workflow as steps
from magic_hour_workflows.batch import _settling as settling
from magic_hour_workflows.batch import _submission as submission
from magic_hour_workflows.batch._engine import Queue
from magic_hour_workflows.batch._rows import RowStatus
from magic_hour_workflows.batch._settling import Settled
from magic_hour_workflows.events import Created, StatusChanged

pytestmark = pytest.mark.usefixtures("small_pictures")
SAVED, FAILED, DOUBTFUL = RowStatus.SAVED, RowStatus.FAILED, RowStatus.DOUBTFUL


@pytest.fixture(params=["sync", "asyncio", "trio"])
def each(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> LocalBatch:
    return LocalBatch(emulator, tmp_path, request.param)


def test_all_are_saved_once_and_run_again_for_nothing(each: LocalBatch) -> None:
    first = each.run(image_rows(3))
    assert [row.status for row in first.values()] == [SAVED] * 3
    assert each.files == [f"fox-{number}-1.png" for number in range(3)]
    for row in first.values():
        assert row.id in {create.id for create in each.emulator.ledger.creates}
        assert row.credits == PRICE
        assert [path.name for path in row.paths] == [f"{row.key}-1.png"]
        assert len(row.sha256) == 1
    assert each.run(image_rows(3)) == {}
    assert each.charged == {f"fox-{number}": 1 for number in range(3)}
    summary = each.batch().summary()
    assert (summary.done, summary.credits, summary.halted) == (True, 3 * PRICE, None)


def test_the_generator_may_be_left_early(each: LocalBatch) -> None:
    if each.backend == "sync":
        work = each.batch(image_rows(7), concurrency=2).run()
        next(work)
        work.close()
    else:

        async def some() -> None:
            async with aclosing(each.batch(image_rows(7), concurrency=2).run_async()) as work:
                await anext(work)

        anyio.run(some, backend=each.backend)
    assert len(each.charged) < 7
    each.run(image_rows(7))
    assert each.charged == {f"fox-{number}": 1 for number in range(7)}
    assert set(each.statuses().values()) == {SAVED}


def test_an_async_run_may_be_cancelled_while_it_starts(local: LocalBatch) -> None:
    async def cancelled() -> None:
        async def all_of_it() -> None:
            async with aclosing(local.batch(image_rows(3)).run_async()) as work:
                async for _ in work:
                    pass

        task = asyncio.ensure_future(all_of_it())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    local.run(image_rows(3))  # not refused: nobody holds the batch
    assert local.charged == {f"fox-{number}": 1 for number in range(3)}


def test_halted_it_finishes_what_runs_and_begins_nothing(local: LocalBatch) -> None:
    batch = local.batch(image_rows(7), concurrency=2)
    for _ in batch.run():
        if not batch.halted:
            begun = len(local.charged)
            batch.halt("enough")
    assert batch.halted == "enough"
    statuses = local.statuses()
    assert sum(status is SAVED for status in statuses.values()) == len(local.charged) <= begun + 2
    assert local.batch().summary().halted == "enough"
    local.ran(batch)  # the same one goes on
    assert local.charged == {f"fox-{number}": 1 for number in range(7)}
    assert local.batch().summary().halted is None


def test_a_job_that_takes_too_long_is_waited_for_again(local: LocalBatch) -> None:
    local.emulator.faults.add("job_stuck", on="create")
    ended = local.run(image_rows(1), timeout=2.0)["fox-0"]  # long enough for a create on a busy machine
    assert (ended.status, ended.error_type, ended.credits) == (RowStatus.RUNNING, "JobTimeout", PRICE)
    local.emulator.force(str(ended.id), "complete")
    assert local.run(image_rows(1))["fox-0"].status is SAVED
    assert local.charged == {"fox-0": 1}


def test_rows_with_other_parameters_are_refused(local: LocalBatch) -> None:
    local.run(image_rows(2))
    with pytest.raises(InvalidArgument, match="1 rows were submitted with other parameters before: 'fox-1'"):
        local.run([image_row("fox-0"), image_row("fox-1", image_count=2), image_row("fox-2")])
    assert local.charged == {"fox-0": 1, "fox-1": 1}
    assert set(local.statuses()) == {"fox-0", "fox-1"}


def test_rows_that_were_never_charged_may_change_and_move(local: LocalBatch) -> None:
    local.run(image_rows(3), max_credits=PRICE)
    [first] = local.charged
    rows = [row if row[0] == first else image_row(row[0], image_count=2) for row in reversed(image_rows(3))]
    ended = local.run(rows)
    assert [row.credits for row in ended.values()] == [2 * PRICE] * 2
    assert list(local.statuses()) == ["fox-2", "fox-1", "fox-0"]
    assert set(local.charged.values()) == {1}


def test_rows_removed_from_the_manifest_are_forgotten(local: LocalBatch) -> None:
    batch = local.batch(image_rows(4))
    batch.halt()
    local.ran(batch)
    local.run(image_rows(2))
    local.run()  # without a manifest they stay forgotten
    assert local.charged == {"fox-0": 1, "fox-1": 1}
    assert list(local.statuses()) == ["fox-0", "fox-1"]
    assert local.batch().summary().done
    assert local.run(image_rows(4)).keys() == {"fox-2", "fox-3"}


def test_the_output_folder_is_removed_midway(local: LocalBatch) -> None:
    removed = False
    for _ in local.batch(image_rows(6), concurrency=2).run():
        if not removed:
            local.output.rename(local.output.with_name("removed"))  # at once, while files are written there
            removed = True
    local.run(image_rows(6))
    assert set(local.statuses().values()) == {SAVED}
    assert len(local.files) == 6
    assert local.charged == {f"fox-{number}": 1 for number in range(6)}


def test_keys_of_any_script_name_files(local: LocalBatch) -> None:
    saved = local.run([image_row("日本"), image_row("中国 2/2"), image_row("Zoë")])
    assert [row.status for row in saved.values()] == [SAVED] * 3
    assert local.files == sorted(["日本-1.png", "中国_2_2-1.png", "Zoë-1.png"])


def test_files_of_the_user_are_never_overwritten(local: LocalBatch) -> None:
    local.output.mkdir()
    mine = local.output / "fox-0-1.png"
    mine.write_text("mine")
    ended = local.run(image_rows(1))
    assert mine.read_text() == "mine"
    assert [path.name for path in ended["fox-0"].paths] == ["fox-0-1 (2).png"]


def test_same_bytes_are_uploaded_once_and_renewed_in_time(
    local: LocalBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.png"
    shutil.copyfile(samples.portrait(), copy)
    copy = copy.rename(tmp_path / f"copy{samples.portrait().suffix}")
    local.run([edit_row("one", samples.portrait()), edit_row("two", copy), edit_row("three", copy)])
    assert upload_count(local) == 1
    local.run(
        [edit_row("one", samples.portrait()), edit_row("two", copy), edit_row("three", copy), edit_row("four", copy)]
    )
    assert upload_count(local) == 1
    monkeypatch.setattr(steps, "UPLOADS_LAST", -1.0)
    with sqlite3.connect(local.database) as connection:
        connection.execute("UPDATE uploads SET uploaded_at = uploaded_at - 1000")
    connection.close()
    rows = [edit_row("one", samples.portrait()), edit_row("two", copy), edit_row("three", copy), edit_row("four", copy)]
    assert local.run([*rows, edit_row("five", copy)])["five"].status is SAVED
    assert upload_count(local) == 2


def upload_count(local: LocalBatch) -> int:
    return len(local.emulator.requests.find(origin="storage", method="PUT"))


def test_a_file_that_is_gone_fails_its_row_alone(local: LocalBatch, tmp_path: Path) -> None:
    picture = tmp_path / f"gone{samples.portrait().suffix}"
    shutil.copyfile(samples.portrait(), picture)
    batch = local.batch([edit_row("gone", picture), image_row("fox")])
    assert batch.rows
    picture.unlink()
    ended = local.ran(batch)
    assert (ended["gone"].status, ended["fox"].status) == (FAILED, SAVED)
    assert "gone" in str(ended["gone"].error)
    assert local.charged == {"fox": 1}


def test_events_come_with_their_rows_and_may_fail(local: LocalBatch) -> None:
    told: list[tuple[str, Any]] = []

    def listen(key: str, event: Any) -> None:
        told.append((key, event))
        raise RuntimeError("a listener that cannot")

    ended = local.run(image_rows(2), on_event=listen)
    assert {row.status for row in ended.values()} == {SAVED}
    created = {key: event.id for key, event in told if isinstance(event, Created)}
    assert created == {row.key: row.id for row in ended.values()}
    assert {key for key, event in told if isinstance(event, StatusChanged)} == {"fox-0", "fox-1"}


def test_failed_rows_are_tried_anew_when_asked_for(local: LocalBatch) -> None:
    local.emulator.fail_next("no_source_face", "no face was found", times=2)
    ended = local.run(image_rows(3))
    failed = sorted(key for key, row in ended.items() if row.status is FAILED)
    assert len(failed) == 2
    assert ended[failed[0]].error_type == "JobFailed"
    assert "no face was found" in str(ended[failed[0]].error)
    assert ended[failed[0]].credits == 0  # refunded
    assert local.batch().summary().credits == PRICE
    assert local.run(image_rows(3)) == {}
    assert local.run(image_rows(3), retry=[failed[0]])[failed[0]].status is SAVED
    assert local.run(image_rows(3), retry=True)[failed[1]].status is SAVED
    assert local.charged == {key: 2 if key in failed else 1 for key in ended}
    assert local.run(image_rows(3), retry=True) == {}


def test_retry_does_not_bring_removed_rows_back(local: LocalBatch) -> None:
    local.emulator.fail_next(times=2)
    local.run(image_rows(2))
    assert local.run(image_rows(1), retry=True).keys() == {"fox-0"}
    assert local.charged == {"fox-0": 2, "fox-1": 1}


def test_a_database_with_another_batch_is_refused(local: LocalBatch) -> None:
    local.run(image_rows(2))
    with pytest.raises(InvalidArgument, match="another batch, of 2 rows") as caught:
        local.run([("wolf", *row[1:]) for row in image_rows(1)])
    assert caught.value.field == "database"
    assert local.statuses().keys() == {"fox-0", "fox-1"}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long settling waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(settling, "wait", lambda seconds, _: waited.append(seconds))
    return waited


@pytest.mark.parametrize("charged", [True, False])
def test_doubtful_rows_are_never_sent_again_until_they_are_settled(
    local: LocalBatch, charged: bool, waits: list[float]
) -> None:
    local.emulator.faults.add("reset", on="create", phase="after" if charged else "before")
    row = local.run(image_rows(1))["fox-0"]
    assert (row.status, row.error_type, row.credits, row.name) == (DOUBTFUL, "SubmissionUnknown", None, "fox-0")
    assert "'fox-0'" in str(row.error)
    assert local.run(image_rows(1)) == {}
    assert local.charged.total() == charged
    with pytest.raises(InvalidArgument, match="is not doubtful"):
        local.batch().settle("another", not_charged=lambda name: True)
    if charged:
        local.batch().settle("fox-0", project_id=local.emulator.ledger.creates[0].id)
    else:
        asked: list[tuple[str, list[float]]] = []
        settled = local.batch().settle("fox-0", not_charged=lambda name: asked.append((name, list(waits))) or True)
        assert settled is Settled.NOT_CHARGED
        assert asked == [("fox-0", [135.0])]  # a permit and the longest answer, before it was asked
    assert local.statuses()["fox-0"] is (RowStatus.RUNNING if charged else RowStatus.WAITING)
    ended = local.run(image_rows(1))["fox-0"]
    assert (ended.status, ended.credits) == (SAVED, 5)
    assert local.charged == {"fox-0": 1}
    with pytest.raises(InvalidArgument, match="is not doubtful"):
        local.batch().settle("fox-0", not_charged=lambda name: True)


@pytest.mark.parametrize("answer", [False, None])
def test_a_row_that_nobody_knows_about_stays_closed_and_in_doubt(
    local: LocalBatch, waits: list[float], answer: Any
) -> None:
    local.emulator.faults.add("reset", on="create", phase="before")
    local.run(image_rows(1))
    assert local.batch().settle("fox-0", not_charged=lambda name: answer) is Settled.OPEN
    assert local.run(image_rows(1)) == {}
    assert local.statuses()["fox-0"] is DOUBTFUL
    assert local.batch().settle("fox-0", not_charged=lambda name: True) is Settled.NOT_CHARGED
    local.run(image_rows(1))
    assert local.charged == {"fox-0": 1}


def test_an_id_that_arrives_while_somebody_looks_is_kept(local: LocalBatch, waits: list[float]) -> None:
    local.emulator.faults.add("reset", on="create", phase="after")
    local.run(image_rows(1))

    def look(name: str) -> bool:
        with database.open_batch(database.database_of(local.database)) as store:
            store.claims.accepted(name, local.emulator.ledger.creates[0].id, 5, name=name, worker="it woke up")
        return True

    assert local.batch().settle("fox-0", not_charged=look) is Settled.ARRIVED
    assert local.run(image_rows(1))["fox-0"].status is SAVED
    assert local.charged == {"fox-0": 1}


def test_nothing_is_settled_as_not_charged_while_the_batch_runs(local: LocalBatch, waits: list[float]) -> None:
    local.emulator.faults.add("reset", on="create", phase="before")
    local.run(image_rows(1))
    work = local.batch(image_rows(3), concurrency=1).run()
    next(work)
    with pytest.raises(InvalidArgument, match="another process runs the batch"):
        local.batch().settle("fox-0", not_charged=lambda name: True)
    assert len(list(work)) == 1
    assert waits == []


def test_the_wait_is_by_a_clock_that_stands_still_while_the_machine_sleeps() -> None:
    clock, left = [0.0], []

    def sleep(seconds: float) -> None:
        clock[0] += min(seconds, 0.4)  # it wakes up early, as sleeps may

    settling.wait(3.0, left.append, lambda: clock[0], sleep)
    assert clock[0] >= 3.0
    assert left[0] == 3.0
    assert settling.wait.__defaults__ == (time.monotonic, time.sleep)


def test_settling_says_one_of_two_things(local: LocalBatch) -> None:
    with pytest.raises(InvalidArgument, match="either"):
        local.batch().settle("fox-0")
    with pytest.raises(InvalidArgument, match="either"):
        local.batch().settle("fox-0", project_id="x", not_charged=lambda name: True)
    looked_before: Any = True
    with pytest.raises(InvalidArgument, match="an earlier check does not count"):
        local.batch().settle("fox-0", not_charged=looked_before)


def test_a_second_runner_is_refused(local: LocalBatch, tmp_path: Path) -> None:
    work = local.batch(image_rows(4), concurrency=1).run()
    next(work)
    with pytest.raises(InvalidArgument, match="another process runs the batch"):
        local.run(image_rows(4))
    with pytest.raises(InvalidArgument, match="this process already runs a batch"):
        list(local.batch(image_rows(1), database=tmp_path / "other").run())
    assert len(list(work)) == 3  # it was not disturbed
    assert local.charged == {f"fox-{number}": 1 for number in range(4)}


def test_a_row_cancelled_and_resumed_through_the_engine_is_charged_once(local: LocalBatch) -> None:
    from dbos import DBOS

    local.emulator.faults.add("delay", on="create", phase="after", seconds=0.5, times=None)
    done: list[str] = []

    def meddle(key: str, event: Any) -> None:
        if isinstance(event, Created) and key not in done:
            done.append(key)
            threading.Thread(target=lambda: (DBOS.cancel_workflow(key), DBOS.resume_workflow(key))).start()

    local.run(image_rows(4), on_event=meddle)
    local.run(image_rows(4))
    assert len(done) == 4
    assert set(local.statuses().values()) == {SAVED}
    assert local.charged == {f"fox-{number}": 1 for number in range(4)}


def test_a_row_cancelled_while_it_is_submitted_is_charged_once(local: LocalBatch) -> None:
    from dbos import DBOS

    local.emulator.faults.add("delay", on="create", seconds=0.3, times=None)
    claimed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        submit = submission.submit

        async def submitting(call: Any, operation: Any) -> Any:
            key = operation.body["name"]
            if key not in claimed:
                claimed.append(key)
                threading.Thread(target=lambda: (DBOS.cancel_workflow(key), DBOS.resume_workflow(key))).start()
            return await submit(call, operation)

        patch.setattr(submission, "submit", submitting)
        local.run(image_rows(3))
    assert len(claimed) == 3
    local.run(image_rows(3))
    local.run(image_rows(3))
    assert local.charged == {f"fox-{number}": 1 for number in range(3)}
    assert set(local.statuses().values()) == {SAVED}


def test_no_secret_is_kept(local: LocalBatch, caplog: pytest.LogCaptureFixture) -> None:
    local.run([image_row("fox"), edit_row("hat", samples.portrait())])
    kept = local.database.read_bytes() + json.dumps(repr(local.batch().results())).encode() + caplog.text.encode()
    assert local.emulator.token.encode() not in kept
    assert b"signature" not in kept.lower()


def test_of_no_rows_none_have_ended(local: LocalBatch) -> None:
    """The engine reads an empty list as all rows; every heartbeat would start saved rows again."""
    local.run(image_rows(1))
    with database.open_batch(database.database_of(local.database)) as store:
        queue = Queue(store)
        assert [queue.ended(["fox-0"]), queue.ended([])] == [["fox-0"], []]
        queue.close()
