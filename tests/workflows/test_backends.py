"""The two adapters: parallel work, deadlines at the socket, what goes over the wire, and what must not."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from magic_hour_client._runtime.settings import settings
from magic_hour_client._runtime.transport import AsyncTransport
from magic_hour_client.api.v1_image_projects import create_ai_image, get_image_project
from magic_hour_client.errors import ConnectionFailed, RequestTimeout
from magic_hour_workflows._assets import to_source
from magic_hour_workflows._async_backend import AsyncBackend
from magic_hour_workflows._backend import Backend, run_sync
from magic_hour_workflows._flows.generate import job_name
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows._storage_http import chunk_bytes, network_errors
from magic_hour_workflows._sync_backend import SyncBackend
from magic_hour_workflows.errors import TransferFailed
from servers import drip, read_request, says, serving
from worlds import KEY, World, ignore_bytes
from worlds import UseBackend as Use

SIGNED = "/file.png?signature=canary-signature"
SLACK = 30.0
"""Generous: these tests prove that there is a bound, not how tight it is. What is held here is held for longer."""
HELD = 3 * SLACK
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("backend", [SyncBackend, AsyncBackend])
def test_a_program_that_seeds_its_chance_gets_jobs_with_names_of_their_own(backend: Any) -> None:
    """Names are how a job is found whose id was lost: programs that call `random.seed(42)` must not share them."""
    names = []
    for _ in range(2):
        random.seed(42)
        names.append(job_name(backend.__new__(backend), create_ai_image).rpartition(" ")[2])
    assert names[0] != names[1]


class TestMap:
    def test_results_keep_the_order_of_the_items(self, world: World) -> None:
        async def use(io: Backend) -> list[int]:
            async def work(number: int) -> int:
                await io.sleep(0.02 * (4 - number))
                return number * 10

            return await io.map(work, [0, 1, 2, 3])

        assert world.with_backend(use) == [0, 10, 20, 30]

    def test_work_runs_at_the_same_time_but_not_more_than_allowed(self, world: World) -> None:
        running, most, lock = 0, 0, threading.Lock()

        async def use(io: Backend) -> list[None]:
            async def work(number: int) -> None:
                nonlocal running, most
                with lock:
                    running += 1
                    most = max(most, running)
                for _ in range(1000):
                    if most >= 3:
                        break
                    await io.sleep(0.01)
                await io.sleep(0.03)
                with lock:
                    running -= 1

            return await io.map(work, range(9))

        world.with_backend(use, max_parallel=3)
        assert most == 3

    def test_the_first_failure_stops_the_others_and_is_raised_as_it_is(self, world: World) -> None:
        finished: list[int] = []

        async def use(io: Backend) -> list[None]:
            async def work(number: int) -> None:
                if number == 1:
                    await io.sleep(0.02)
                    raise TransferFailed("this one", status=418)
                await io.sleep(60)
                finished.append(number)

            return await io.map(work, range(4))

        began = time.monotonic()
        with pytest.raises(TransferFailed, match="this one"):
            world.with_backend(use)
        assert finished == []
        assert time.monotonic() - began < SLACK

    def test_work_that_has_not_begun_is_not_begun_after_a_failure(self, world: World) -> None:
        begun: list[int] = []

        async def use(io: Backend) -> list[None]:
            async def work(number: int) -> None:
                begun.append(number)
                raise TransferFailed("no", status=418)

            return await io.map(work, range(50))

        with pytest.raises(TransferFailed):
            world.with_backend(use, max_parallel=2)
        assert len(begun) < 10

    def test_nothing_and_one(self, world: World) -> None:
        async def use(io: Backend) -> list[Any]:
            async def work(item: int) -> int:
                return item

            return [await io.map(work, []), await io.map(work, [7])]

        assert world.with_backend(use) == [[], [7]]


def test_a_sync_transfer_notices_that_a_sibling_failed(tmp_path: Path) -> None:
    """A worker that waits for bytes that do not come is told to stop, and does so within a moment."""

    def silent(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n\x012345")
        server.done.wait(HELD)

    with serving(silent) as server:

        async def use(io: Backend) -> Any:
            async def work(number: int) -> None:
                if number == 0:
                    await io.sleep(0.2)
                    raise TransferFailed("sibling", status=418)
                target = PartialDownload(tmp_path, str(number), ".png")
                try:
                    await io.fetch(server.url + SIGNED, target, io.now() + HELD, ignore_bytes)
                finally:
                    target.discard()

            return await io.map(work, range(3))

        began = time.monotonic()
        with pytest.raises(TransferFailed, match="sibling"):
            World("sync").with_backend(use)
        assert time.monotonic() - began < SLACK


def test_a_sync_worker_that_connects_notices_that_a_sibling_failed(tmp_path: Path) -> None:
    """A listener whose queue is full does not answer at all, which a connecting socket waits for."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)

        async def use(io: Backend) -> Any:
            async def work(number: int) -> None:
                if number == 0:
                    await io.sleep(0.3)
                    raise TransferFailed("sibling", status=418)
                target = PartialDownload(tmp_path, str(number), ".png")
                await io.fetch(f"http://127.0.0.1:{address[1]}{SIGNED}", target, io.now() + HELD, ignore_bytes)

            return await io.map(work, range(3))

        began = time.monotonic()
        with pytest.raises(TransferFailed, match="sibling"):
            World("sync").with_backend(use)
        assert time.monotonic() - began < SLACK
        for filler in fillers:
            filler.close()


def test_a_silent_stream_does_not_hold_an_async_call() -> None:
    """A pipe whose writer says nothing: the thread that reads it is left behind."""
    reading, writing = os.pipe()

    async def use(io: Backend) -> None:
        with os.fdopen(reading, "rb") as pipe:
            source = to_source(("a.png", pipe), "image", "file")
            try:
                await io.run_in_thread(source.prepare, abandon_on_cancel=True, deadline=io.now() + 0.3)
            finally:
                source.close()
                os.close(writing)

    began = time.monotonic()
    with pytest.raises(TransferFailed, match="in time"):
        World("asyncio").with_backend(use)
    assert time.monotonic() - began < SLACK


def test_a_cancelled_download_waits_for_the_thread_that_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `asyncio.timeout` interrupts is a cancellation and stays one, and no thread is left at work on the file."""
    writing, go_on, write = threading.Event(), threading.Event(), PartialDownload.write

    def slow_write(partial: PartialDownload, chunk: bytes) -> None:
        writing.set()
        assert go_on.wait(HELD)
        write(partial, chunk)

    async def interrupt(limit: asyncio.Timeout) -> None:
        await asyncio.to_thread(writing.wait, HELD)
        limit.reschedule(asyncio.get_running_loop().time())
        await asyncio.sleep(0.1)
        go_on.set()

    monkeypatch.setattr(PartialDownload, "write", slow_write)

    def behave(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n" + b"\0" * 20_000_000)
        server.done.wait(HELD)

    with serving(behave) as server:

        async def use(io: Backend) -> None:
            target = PartialDownload(tmp_path, "a", ".png")
            try:
                async with asyncio.timeout(None) as limit:
                    interrupting = asyncio.create_task(interrupt(limit))
                    await io.fetch(server.url + SIGNED, target, io.now() + HELD, ignore_bytes)
            finally:
                assert go_on.is_set(), "the thread is still writing"
                await interrupting
                target.discard()

        with pytest.raises(TimeoutError):
            World("asyncio").with_backend(use)
    assert list(tmp_path.iterdir()) == []


class TestPut:
    def test_what_goes_over_the_wire(self, world: World) -> None:
        content = bytes(range(256)) * 10_000
        seen: list[tuple[int, int | None]] = []

        async def use(io: Backend) -> None:
            source = to_source(("a.png", content), "image", "file")
            await io.put(server.url + SIGNED, source, io.now() + 30, lambda *told: seen.append(told))

        with serving(says(TAKEN), read=read_request) as server:
            world.with_backend(use)
        [request] = server.heads
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        names = {line.split(b":")[0] for line in lines[1:]}
        assert lines[0].startswith(b"put /file.png?signature=canary-signature")
        assert b"content-length: %d" % len(content) in lines
        assert not names & {b"authorization", b"content-type", b"transfer-encoding", b"cookie"}
        assert body == content
        assert seen[-1] == (len(content), len(content))

    @pytest.mark.parametrize("status", [301, 403, 411, 413, 500, 503])
    def test_a_refusal_is_typed(self, world: World, status: int) -> None:
        refusal = b"HTTP/1.1 %d X\r\nRetry-After: 7\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        with serving(says(refusal % status)) as server:

            async def use(io: Backend) -> None:
                await io.put(
                    server.url + SIGNED, to_source(("a.png", b"x"), "image", "file"), io.now() + 30, ignore_bytes
                )

            with pytest.raises(TransferFailed) as caught:
                world.with_backend(use)
        assert (caught.value.status, caught.value.retry_after) == (status, 7)

    def test_a_file_that_shrinks_is_not_sent_as_if_it_were_whole(self, world: World, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(b"x" * 9_000_000)  # more than is read ahead

        def read_on(connection: socket.socket, head: bytes) -> None:
            while connection.recv(65536):
                pass

        with serving(read_on) as server:

            async def use(io: Backend) -> None:
                source = to_source(path, "image", "file")
                cut = lambda sent, total: os.truncate(path, sent)  # noqa: E731
                await io.put(server.url + SIGNED, source, io.now() + 30, cut)

            with pytest.raises(TransferFailed, match="changed while it was read"):
                world.with_backend(use)

    def test_a_stream_is_read_by_one_attempt_at_a_time(self, world: World) -> None:
        """Storage that refuses early is asked again while a thread may still be reading ahead for the first time."""
        stream = Watched(random.Random(1).randbytes(6_000_000), slow_from=1_000_000)

        def behave(connection: socket.socket, head: bytes) -> None:
            if len(server.heads) == 1:
                connection.sendall(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return  # with a reset, because there was more to read
            body = head.split(b"\r\n\r\n", 1)[1]
            while len(body) < len(stream.getbuffer()):
                body += connection.recv(65536)
            bodies.append(body)
            connection.sendall(TAKEN)

        bodies: list[bytes] = []
        with serving(behave) as server:

            async def use(io: Backend) -> None:
                source = to_source(("a.png", stream), "image", "file")
                with pytest.raises((TransferFailed, ConnectionFailed)):
                    await io.put(server.url + SIGNED, source, io.now() + 30, ignore_bytes)
                await io.put(server.url + SIGNED, source, io.now() + 30, ignore_bytes)

            world.with_backend(use)
        assert bodies == [stream.getvalue()]
        assert not stream.disturbed

    def test_not_much_is_read_ahead_of_a_slow_connection(self, world: World) -> None:
        sent = [0]

        def behave(connection: socket.socket, head: bytes) -> None:
            server.done.wait(HELD)

        with serving(behave) as server:

            async def use(io: Backend) -> Watched:
                for seconds in (1, 10, 60):  # a busy machine may not begin in the first
                    stream = Watched(b"x" * 60_000_000)
                    source = to_source(("a.png", stream), "image", "file")
                    with pytest.raises(RequestTimeout):
                        await io.put(
                            server.url + SIGNED, source, io.now() + seconds, lambda so_far, _: sent.append(so_far)
                        )
                    if stream.furthest:
                        break
                return stream

            stream = world.with_backend(use)
        assert sent[-1] < stream.furthest <= sent[-1] + 3 * 1024 * 1024


class Watched(io.BytesIO):
    """A stream that knows how far it was read, and whether two threads were at it at a time."""

    def __init__(self, content: bytes, slow_from: int | None = None) -> None:
        super().__init__(content)
        self.slow_from = slow_from
        self.furthest = 0
        self.disturbed = False
        self._reading = False

    def read(self, size: int | None = -1) -> bytes:
        self.disturbed |= self._reading
        self._reading = True
        if self.slow_from is not None and self.tell() >= self.slow_from:
            time.sleep(0.01)
        content = super().read(size)
        self._reading = False
        self.furthest = max(self.furthest, self.tell())
        return content

    def seek(self, place: int, whence: int = 0) -> int:
        self.disturbed |= self._reading
        return super().seek(place, whence)


class TestDeadlines:
    """Each of these holds `timeout` per read for as long as it likes; only a bound on the whole ends it."""

    def bounded(self, world: World, use: Use) -> Exception:
        began = time.monotonic()
        with pytest.raises(ConnectionFailed) as caught:
            world.with_backend(use)
        assert time.monotonic() - began < 1 + SLACK
        return caught.value

    def fetch(self, url: str, folder: Path) -> Use:
        async def use(io: Backend) -> None:
            target = PartialDownload(folder, "a", ".png")
            try:
                await io.fetch(url + SIGNED, target, io.now() + 1, ignore_bytes)
            finally:
                target.discard()

        return use

    @pytest.mark.parametrize(
        ("head", "dripped"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"\0" * 2000),
            (b"HTTP/1.1 200 OK\r\n", b"X-Long: " + b"x" * 2000),
            (b"", b""),
        ],
        ids=["dripping body", "dripping head", "silence"],
    )
    def test_an_answer_that_does_not_end(self, world: World, tmp_path: Path, head: bytes, dripped: bytes) -> None:
        def behave(connection: socket.socket, _: bytes) -> None:
            connection.sendall(head)
            drip(connection, dripped, server.done)
            server.done.wait(HELD)

        with serving(behave) as server:
            assert isinstance(self.bounded(world, self.fetch(server.url, tmp_path)), RequestTimeout)

    def test_busy_server(self, world: World, tmp_path: Path) -> None:
        """Bytes that never cease: nothing has to be waited for, and the call ends all the same."""

        def behave(connection: socket.socket, head: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
            until = time.monotonic() + 1 + 2 * SLACK
            while not server.done.is_set() and time.monotonic() < until:
                connection.sendall(b"\0" * 65536)

        with serving(behave) as server:
            self.bounded(world, self.fetch(server.url, tmp_path))

    def test_a_download_given_up_while_writing_leaves_nothing_half_way(self, world: World, tmp_path: Path) -> None:
        """As when the time is up while the disk is busy: trio warns of generators that are not closed."""

        class Full(PartialDownload):
            def write(self, content: bytes) -> None:
                raise TransferFailed("the disk is full", final=True)

        def behave(connection: socket.socket, head: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            for _ in range(100):
                connection.sendall(b"\0" * 1_000_000)

        async def use(io: Backend) -> None:
            target = Full(tmp_path, "a", ".png")
            try:
                with pytest.raises(TransferFailed, match="full"):
                    await io.fetch(server.url + SIGNED, target, io.now() + 20, ignore_bytes)
            finally:
                target.discard()
            gc.collect()  # while the event loop runs: at its end it closes what is left without a word

        with serving(behave) as server:
            world.with_backend(use)

    def test_a_file_that_gets_its_name_is_told_of_however_late(self, world: World, tmp_path: Path) -> None:
        """Else it would be there, and fetched once more by whoever picks the job up."""

        class Slow(PartialDownload):
            def finish(self) -> Path:
                path = super().finish()
                time.sleep(max(0, until[-1] - time.monotonic()) + 0.1)
                return path

        def behave(connection: socket.socket, head: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\0edia")

        until: list[float] = []

        async def use(io: Backend) -> Path:
            for seconds in (0.3, 3, 30):  # a busy machine may need more to come to the end of the file
                until.append(time.monotonic() + seconds)
                target = Slow(tmp_path, "a", ".png")
                try:
                    return await io.fetch(server.url + SIGNED, target, io.now() + seconds, ignore_bytes)
                except RequestTimeout:
                    target.discard()
                    assert list(tmp_path.iterdir()) == [], "it has its name"
            raise AssertionError("never")

        with serving(behave) as server:
            assert world.with_backend(use) == tmp_path / "a.png"

    def test_slow_reader(self, world: World) -> None:
        def behave(connection: socket.socket, head: bytes) -> None:
            for _ in range(round(HELD / 0.05)):
                if server.done.wait(0.05):
                    return
                connection.recv(512)

        with serving(behave) as server:

            async def use(io: Backend) -> None:
                source = to_source(("a.png", b"x" * 30_000_000), "image", "file")
                await io.put(server.url + SIGNED, source, io.now() + 1, ignore_bytes)

            self.bounded(world, use)


async def fill(gate: anyio.Semaphore) -> None:
    while gate.value:
        await gate.acquire()


ON_EACH_LOOP = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class TestGate:
    """At most so many requests of an async client at a time; who waits in front has sent nothing."""

    def backend(self) -> AsyncBackend:
        checked = settings(KEY, "http://127.0.0.1:1", 30, allow_http=False)
        return AsyncBackend(AsyncTransport(checked), 4)

    @ON_EACH_LOOP
    def test_time_that_runs_out_in_front_of_the_gate(self, backend: str) -> None:
        async def main() -> None:
            io = self.backend()
            await fill(io._gates[True])
            with pytest.raises(RequestTimeout) as caught:
                await io.send(create_ai_image.request(image_count=1, style={"prompt": "a"}), io.now() + 0.05)
            assert not caught.value.sent

        anyio.run(main, backend=backend)

    @ON_EACH_LOOP
    def test_time_that_runs_out_before_the_turn_of_a_file(self, backend: str) -> None:
        async def main() -> None:
            io = self.backend()
            await fill(io._transfers)
            source = to_source(("a.png", b"x"), "image", "file")
            with anyio.fail_after(SLACK), pytest.raises(RequestTimeout, match=r"upload of a\.png") as caught:
                await io.put("http://127.0.0.1:1" + SIGNED, source, io.now() + 0.05, ignore_bytes)
            assert not caught.value.sent
            assert io._transfers.value == 0, "a turn it never had is not given back"

        anyio.run(main, backend=backend)

    @ON_EACH_LOOP
    def test_an_open_gate_lets_no_create_pass_whose_time_is_over(
        self, backend: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sent with no time for an answer, it would be one whose outcome nobody knows."""
        sent: list[object] = []

        async def send(_: AsyncTransport, operation: object, *, timeout: float | None) -> None:
            sent.append(operation)

        async def main() -> None:
            io = self.backend()
            with pytest.raises(RequestTimeout) as caught:
                await io.send(create_ai_image.request(image_count=1, style={"prompt": "a"}), io.now() - 1)
            assert not caught.value.sent

        monkeypatch.setattr(AsyncTransport, "send", send)
        anyio.run(main, backend=backend)
        assert sent == []

    @ON_EACH_LOOP
    def test_a_cancellation_in_front_of_the_gate(self, backend: str) -> None:
        cancelled: list[BaseException] = []

        async def send(io: AsyncBackend) -> None:
            try:
                await io.send(create_ai_image.request(image_count=1, style={"prompt": "a"}), io.now() + 30)
            except BaseException as error:
                cancelled.append(error)
                raise

        async def main() -> None:
            io = self.backend()
            await fill(io._gates[True])
            async with anyio.create_task_group() as group:
                group.start_soon(send, io)
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()

        anyio.run(main, backend=backend)
        assert cancelled[0].unsent

    def test_a_cancelled_look_says_nothing_of_sending(self) -> None:
        """It was paid for long before; `unsent` speaks of creates only."""
        cancelled: list[BaseException] = []

        async def main() -> None:
            io = self.backend()
            await fill(io._gates[False])
            with anyio.move_on_after(0.05):
                try:
                    await io.send(get_image_project.request("job-1"), io.now() + 30)
                except BaseException as error:
                    cancelled.append(error)
                    raise

        anyio.run(main)
        assert not hasattr(cancelled[0], "unsent")

    def test_creates_do_not_keep_jobs_from_being_looked_at(self) -> None:
        async def main() -> None:
            io = self.backend()
            await fill(io._gates[True])
            with pytest.raises(ConnectionFailed) as caught:
                await io.send(get_image_project.request("job-1"), io.now() + 10)
            assert not isinstance(caught.value, RequestTimeout), "it came through the gate and was refused"

        anyio.run(main)


def test_run_sync_refuses_what_really_waits() -> None:
    class Suspends:
        def __await__(self) -> Iterator[None]:
            yield

    async def flow() -> None:
        await Suspends()

    with pytest.raises(RuntimeError, match="SyncBackend did not provide"):
        run_sync(flow())


@pytest.mark.parametrize(
    ("size", "piece"), [(1, 64 * 1024), (64 * 1024 * 100, 64 * 1024), (20_000_000, 200_000), (2**31, 2**18)]
)
def test_the_pieces_of_a_file_grow_with_it(size: int, piece: int) -> None:
    assert chunk_bytes(size, most=2**18) == piece


@pytest.mark.parametrize(
    "error",
    [
        httpx.InvalidURL("Invalid port: 'canary'"),
        UnicodeEncodeError("idna", "canary", 0, 1, "label too long"),
        UnicodeError("label empty or too long: canary"),
        OverflowError("connect_tcp(): port must be 0-65535."),
    ],
)
def test_what_clients_and_sockets_say_of_a_url_is_not_repeated(error: Exception) -> None:
    """The last line: `checked_url` lets nothing through that is known to lead here."""
    words = r"^download of a\.png: storage returned an invalid URL$"
    with pytest.raises(TransferFailed, match=words) as caught, network_errors("download of a.png"):
        raise error
    assert (caught.value.final, caught.value.__cause__, caught.value.__suppress_context__) == (True, None, True)
