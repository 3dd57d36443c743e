"""The job log as a file: what its lines add up to, torn and compacted, with several writers."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import attrs
import pytest

from magic_hour_client.errors import InvalidArgument
from magic_hour_workflows._job_log.entries import Book, Entry, State, line_of, parsed
from magic_hour_workflows._job_log.log import JobLog, checked_place, default_place
from magic_hour_workflows._job_log.owners import NOBODY, is_running, owner
from magic_hour_workflows._job_log.store import FileStore, MemoryStore, read
from magic_hour_workflows._settings import checked_job_log
from magic_hour_workflows.errors import JobLogUnusable, OverLimit

HERE = "https://api.example"
ENTRY = Entry(
    token="1",
    service=HERE,
    operation="v1.x.create",
    kind="image",
    name="fox 日本",
    at=datetime(2026, 11, 20, tzinfo=UTC),
    owner=owner(),
    estimate=20,
    state=State.SUBMITTING,
)
LINE = line_of(ENTRY)


def book(*lines: str) -> Book:
    found = Book()
    found.read(lines)
    return found


def ended(_: str) -> bool:
    return False


def running(_: str) -> bool:
    return True


def step(state: State, before: Entry = ENTRY, **changes: Any) -> str:
    return line_of(attrs.evolve(before, state=state, **changes), before)


def test_a_line_is_ascii_and_has_everything() -> None:
    whole = attrs.evolve(ENTRY, id="abc", credits=5.5, directory="/out", output_name="fox.png", reason="why")
    line = line_of(whole)
    assert line.isascii()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert book(line).entries == {"1": whole}


@pytest.mark.parametrize(
    "line",
    [
        LINE[: len(LINE) // 2],
        "null",
        "[]",
        "{}",
        '{"entry": 1, "state": "saved"}',
        '{"entry": "1", "state": "of a later version"}',
        '{"entry": "1", "state": "saved", "id": 5}',
        '{"entry": "1", "state": "saved", "at": "yesterday"}',
        '{"carried": "x"}',
        "[" * 100_000,
        "\ufffd\ufffd",
    ],
)
def test_what_is_not_a_line_is_counted_and_skipped(line: str) -> None:
    assert parsed(line) is None
    found = book(LINE, line, step(State.ACCEPTED, id="abc"))
    assert found.unreadable == 1
    assert found.entries["1"].id == "abc"


@pytest.mark.parametrize(
    ("state", "credits", "is_running", "counted"),
    [
        (State.RESERVED, None, running, 20),
        (State.RESERVED, None, ended, 0),  # it cannot be sent any more
        (State.SUBMITTING, None, ended, 20),
        (State.UNKNOWN, None, ended, 20),
        (State.ACCEPTED, 15, ended, 15),
        (State.ACCEPTED, None, ended, 20),
        (State.SAVED, 15, ended, 15),
        (State.COMPLETE, 15, ended, 15),
        (State.CLOSED, None, ended, 20),
        (State.CANCELED, 15, ended, 15),
        (State.FAILED, 0, ended, 0),
        (State.FAILED, 3, ended, 3),  # refunded in part
        (State.NOT_CHARGED, None, ended, 0),
    ],
)
def test_what_a_limit_counts(state: State, credits: float | None, is_running: Any, counted: float) -> None:
    assert attrs.evolve(ENTRY, state=state, credits=credits).counted(is_running) == counted


ACCEPTED = step(State.ACCEPTED, id="abc", credits=5)
SAVED = step(State.SAVED, id="abc")


@pytest.mark.parametrize(
    ("lines", "state", "id"),
    [
        ([ACCEPTED, step(State.UNKNOWN)], State.ACCEPTED, "abc"),
        ([ACCEPTED, SAVED, ACCEPTED], State.SAVED, "abc"),
        ([ACCEPTED, SAVED, step(State.UNKNOWN)], State.SAVED, "abc"),
        ([step(State.UNKNOWN), ACCEPTED], State.ACCEPTED, "abc"),
        ([step(State.NOT_CHARGED), ACCEPTED], State.ACCEPTED, "abc"),  # settled too early: the id wins
        ([ACCEPTED, SAVED, step(State.ACCEPTED, id="other")], State.ACCEPTED, "other"),
    ],
)
def test_an_id_is_never_given_up(lines: list[str], state: State, id: str) -> None:
    entry = book(LINE, *lines).entries["1"]
    assert (entry.state, entry.id) == (state, id)


# The file


def changed(store: FileStore | MemoryStore, line: str, *, sync: bool = True) -> None:
    store.change(lambda _: line, sync=sync)


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "jobs.jsonl"
    changed(FileStore(path), LINE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_half_a_line_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    store = FileStore(path)
    changed(store, LINE)
    with path.open("a") as file:
        file.write(ACCEPTED[:20])
    changed(store, ACCEPTED)
    for found in (read(path), store._book):
        assert found.entries["1"].state is State.ACCEPTED
        assert found.unreadable == 1


def test_writers_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    first, second = FileStore(path), FileStore(path)
    changed(first, LINE)
    changed(second, ACCEPTED)
    seen: list[Entry] = []
    first.change(lambda found: seen.extend(found.entries.values()), sync=False)
    assert [entry.id for entry in seen] == ["abc"]


def test_nobody_decides_while_another_does(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    seen: list[set[str]] = []
    other = Thread(target=lambda: FileStore(path).change(lambda found: seen.append(set(found.entries)), sync=False))

    def decide(_: Book) -> str:
        other.start()
        other.join(0.2)  # without the lock, it is done by then, and has seen nothing
        return LINE

    FileStore(path).change(decide, sync=False)
    other.join()
    assert seen == [{"1"}]


def test_compacted_it_adds_up_to_the_same(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    first, second = FileStore(path, largest=20_000), FileStore(path, largest=20_000)
    changed(first, line_of(attrs.evolve(ENTRY, token="open", state=State.UNKNOWN)))
    changed(first, line_of(attrs.evolve(ENTRY, token="elsewhere", service="http://other", state=State.SAVED)))
    for number in range(200):
        entry = attrs.evolve(ENTRY, token=str(number), state=State.ACCEPTED, id=f"id-{number}", credits=2)
        store = (first, second)[number % 2]
        changed(store, line_of(entry), sync=False)
        changed(store, step(State.SAVED if number % 10 else State.FAILED, entry, credits=2 if number % 10 else 0))
    assert path.stat().st_size < 30_000
    found = read(path)
    assert found.used(HERE, ended) == 20 + 180 * 2
    assert found.used("http://other", ended) == 20
    assert [entry.token for entry in found.entries.values() if entry.state.open] == ["open"]
    assert (tmp_path / "jobs.jsonl.old").exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for store in (first, second):
        seen: list[float] = []
        store.change(lambda found, seen=seen: seen.append(found.used(HERE, ended)), sync=False)
        assert seen == [20 + 180 * 2]


def test_a_compacted_file_that_has_grown_again_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    first, second = FileStore(path, largest=20_000), FileStore(path)
    changed(second, line_of(attrs.evolve(ENTRY, token="closed", state=State.SAVED)))
    number = 0
    while not path.with_name("jobs.jsonl.old").exists() or path.stat().st_size < 2_000:
        number += 1
        changed(first, line_of(attrs.evolve(ENTRY, token=str(number), state=State.SAVED)), sync=False)
    seen: list[float] = []
    second.change(lambda found: seen.append(found.used(HERE, ended)), sync=False)
    assert seen == [20 * (number + 1)]


def test_a_log_of_open_jobs_only_is_not_compacted_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    store = FileStore(path, largest=1000)
    for number in range(20):
        changed(store, line_of(attrs.evolve(ENTRY, token=str(number))), sync=False)
    assert len(read(path).entries) == 20
    assert not (tmp_path / "jobs.jsonl.old").exists()


# The limit


def job_log(store: FileStore | MemoryStore, **options: Any) -> JobLog:
    return JobLog(store=store, service=HERE, **options)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore | MemoryStore:
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path / "jobs.jsonl")


def test_the_limit_counts_what_is_set_aside(store: FileStore | MemoryStore) -> None:
    log = job_log(store, limit=50)
    for token in ("1", "2"):
        log.add(attrs.evolve(ENTRY, token=token))
    with pytest.raises(OverLimit) as raised:
        log.add(attrs.evolve(ENTRY, token="3"))
    assert (raised.value.used, raised.value.estimate, raised.value.limit) == (40, 20, 50)
    assert "`max_credits`" in str(raised.value.remedy)
    log.change(attrs.evolve(ENTRY, token="2"), attrs.evolve(ENTRY, token="2", state=State.NOT_CHARGED))
    log.add(attrs.evolve(ENTRY, token="3"))


def test_another_address_is_another_account(store: FileStore | MemoryStore) -> None:
    job_log(store, limit=20).add(ENTRY)
    JobLog(store=store, service="http://other", limit=20).add(attrs.evolve(ENTRY, token="2", service="http://other"))


def test_an_unknown_price_is_refused_unless_the_caller_says_what_to_count(store: FileStore | MemoryStore) -> None:
    unpriced = attrs.evolve(ENTRY, estimate=None)
    with pytest.raises(OverLimit, match=r"price is unknown.*`assume_credits`"):
        job_log(store, limit=1000).add(unpriced)
    assert job_log(store, limit=1000, assumed=30).add(unpriced).estimate == 30
    job_log(store).add(attrs.evolve(unpriced, token="2"))  # without a limit, there is nothing to refuse


def test_what_is_unknown_is_counted_and_said(store: FileStore | MemoryStore) -> None:
    log = job_log(store, limit=20)
    log.add(attrs.evolve(ENTRY, state=State.UNKNOWN))
    with pytest.raises(OverLimit, match=r"20 of them for submissions .* unknown") as raised:
        log.add(attrs.evolve(ENTRY, token="2"))
    assert raised.value.unknown == 20


@pytest.mark.parametrize(("reported", "room"), [(None, 20), (0.0, 20), (20.0, 0)])
def test_a_failed_job_is_refunded(store: FileStore | MemoryStore, reported: float | None, room: float) -> None:
    log = job_log(store, limit=20)
    log.add(attrs.evolve(ENTRY, state=State.ACCEPTED, id="abc", credits=20))
    log.close_job("abc", State.FAILED, reported)
    log.close_job("of another program", State.FAILED, None)
    if room:
        log.add(attrs.evolve(ENTRY, token="2"))
    else:
        with pytest.raises(OverLimit):
            log.add(attrs.evolve(ENTRY, token="2"))


def test_a_file_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JobLogUnusable) as raised:
        job_log(FileStore(tmp_path / "file" / "jobs.jsonl")).add(ENTRY)
    assert "`job_log`" in str(raised.value.remedy)


# Settings


@pytest.mark.parametrize("place", ["", ".", "https://example.com/jobs", "a\0b", 5, b"jobs", ["jobs"]])
def test_a_place_that_is_no_file_is_refused(place: object) -> None:
    with pytest.raises(InvalidArgument) as raised:
        checked_place(place, "job_log")
    assert raised.value.field == "job_log"


@pytest.mark.parametrize("value", [-1, "5", True, float("nan"), float("inf"), 1e12])
@pytest.mark.parametrize("name", ["max_credits", "assume_credits"])
def test_a_limit_is_a_number_of_credits(name: str, value: object) -> None:
    given = {"max_credits": 5, "assume_credits": None, name: value}
    with pytest.raises(InvalidArgument) as raised:
        checked_job_log(None, HERE, **given)
    assert raised.value.field == name


def test_where_the_log_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def place(given: Any, limit: float | None = None) -> Any:
        log = checked_job_log(given, HERE, limit, None)
        return log and log.store.path

    monkeypatch.chdir(tmp_path)
    assert place(None) is None
    assert place(False) is None
    assert place("jobs.jsonl") == tmp_path / "jobs.jsonl"  # absolute: the program may change its folder
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert place(True) == tmp_path / "state/magic-hour/jobs.jsonl"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # to be ignored (XDG Base Directory Specification)
    assert default_place() == Path("~/.local/state/magic-hour/jobs.jsonl").expanduser()
    monkeypatch.setenv("MAGIC_HOUR_JOB_LOG", "of-the-variable.jsonl")
    assert place(None) == tmp_path / "of-the-variable.jsonl"
    assert place(False) is None
    monkeypatch.setenv("MAGIC_HOUR_JOB_LOG", "none")
    assert place(None) is None
    counting = checked_job_log(None, HERE, 5, None)
    assert counting is not None
    assert isinstance(counting.store, MemoryStore)


# Owners


def test_a_process_that_has_ended_is_not_running() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as program:
        start = "" if sys.platform != "linux" else Path(f"/proc/{program.pid}/stat").read_text().split()[21]
        other = f"{socket.gethostname()}:{program.pid}:{start}"
        assert is_running(other)
        program.kill()
    assert not is_running(other)
    assert is_running(owner())
    assert not is_running(NOBODY)


@pytest.mark.skipif(sys.platform != "linux", reason="starts of processes are known on Linux only")
def test_another_process_with_the_same_number_is_not_mistaken_for_it() -> None:
    assert not is_running(f"{socket.gethostname()}:{os.getpid()}:1")


@pytest.mark.parametrize("other", ["elsewhere:1:2", "", "nonsense", f"{socket.gethostname()}:x:1"])
def test_a_doubt_counts_as_running(other: str) -> None:
    assert is_running(other)
