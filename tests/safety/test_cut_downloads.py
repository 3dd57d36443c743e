"""A download that is cut again and again ends with the right bytes, and fetches hardly any of them twice.

Rule: the server counts what it sends, and a seed decides where it cuts. Attempts follow each other without a pause; the
flow, which pauses, is tested at the end.
"""

from __future__ import annotations

import random
import re
import socket
import struct
from pathlib import Path
from typing import Any

import attrs
import pytest

from magic_hour_client.errors import ConnectionFailed
from magic_hour_emulator import Emulator
from magic_hour_workflows._backend import Backend
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows.errors import TransferFailed
from servers import serving
from worlds import World, ignore_bytes

MIB = 1024 * 1024
CUTS = 20
SIZE = 24 * MIB


@attrs.define
class Storage:
    """Serves a file, and closes the connection at given positions.

    `change_at` is the cut after which there is another file of the same length; `ranges` says whether it knows them.
    """

    content: bytes
    cuts: list[int]
    ranges: bool = True
    change_at: int | None = None
    abruptly: bool = False
    version: int = 1
    asked: list[int] = attrs.field(factory=list)
    """The first byte of each response."""
    sent: list[int] = attrs.field(factory=list)
    """The end of each response."""

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        number = len(self.asked)
        if self.change_at is not None and number == self.change_at:
            self.version, self.content = 2, self.content[::-1]
        etag = f'"v{self.version}"'
        wanted = re.search(rb"(?i)range: bytes=(\d+)-\r\n", head)
        first = int(wanted[1]) if wanted and self.ranges and f"if-range: {etag}".encode() in head.lower() else 0
        last = len(self.content)
        answer = f"HTTP/1.1 {206 if first else 200} OK\r\nETag: {etag}\r\nContent-Length: {last - first}\r\n"
        if first:
            answer += f"Content-Range: bytes {first}-{last - 1}/{last}\r\n"
        until = max(first, self.cuts[number]) if number < len(self.cuts) else last
        self.asked.append(first)
        self.sent.append(until)
        connection.sendall(answer.encode() + b"\r\n" + self.content[first:until])
        if self.abruptly and number < len(self.cuts):  # with a reset, so that even received bytes may be lost
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @property
    def twice(self) -> list[int]:
        """How many bytes each response repeated from the one before."""
        return [max(0, end - first) for end, first in zip(self.sent, self.asked[1:], strict=False)]


def fetched(world: World, storage: Storage, directory: Path) -> bytes:
    """The file as it ends up on disk."""

    async def whole(backend: Backend, partial: PartialDownload) -> Path | None:
        try:
            return await backend.fetch(server.url, partial, backend.now() + 60, ignore_bytes)
        except (TransferFailed, ConnectionFailed):
            return None

    async def use(backend: Backend) -> bytes:
        partial = PartialDownload(directory, "a", ".png")
        try:
            while (path := await whole(backend, partial)) is None:
                assert len(storage.asked) <= CUTS
            return path.read_bytes()
        finally:
            partial.discard()

    with serving(storage) as server:
        content: bytes = world.with_backend(use)
    assert len(storage.asked) > CUTS, "every cut happened"
    assert [path.name for path in directory.iterdir()] == ["a.png"]
    return content


@pytest.fixture(scope="module")
def content() -> bytes:
    return random.Random(0).randbytes(SIZE)


def places(seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(SIZE), CUTS))


@pytest.mark.parametrize("seed", [1, 2])
def test_what_arrived_is_not_fetched_again(world: World, tmp_path: Path, content: bytes, seed: int) -> None:
    storage = Storage(content, places(seed))
    assert fetched(world, storage, tmp_path) == content
    assert max(storage.twice) <= MIB
    assert sum(end - first for first, end in zip(storage.asked, storage.sent, strict=True)) <= SIZE + CUTS * MIB


def test_resets_leave_the_right_bytes(world: World, tmp_path: Path, content: bytes) -> None:
    storage = Storage(content, places(3), abruptly=True)
    assert fetched(world, storage, tmp_path) == content
    assert storage.asked[-1] > 0, "some of it was kept"


def test_where_ranges_are_ignored_it_starts_over(world: World, tmp_path: Path, content: bytes) -> None:
    storage = Storage(content, [place // 8 for place in places(4)], ranges=False)
    assert fetched(world, storage, tmp_path) == content
    assert set(storage.asked) == {0}


@pytest.mark.parametrize("change_at", [1, 10, CUTS])
def test_another_file_is_fetched_from_its_beginning(
    world: World, tmp_path: Path, content: bytes, change_at: int
) -> None:
    storage = Storage(content, places(5), change_at=change_at)
    assert fetched(world, storage, tmp_path) == content[::-1]
    assert storage.asked[change_at] == 0
    assert all(first > 0 for first in storage.asked[change_at + 1 :])


@pytest.mark.parametrize("fault", [None, "range_ignored", "changed_etag"])
def test_a_whole_call(
    world: World, options: dict[str, Any], emulator: Emulator, tmp_path: Path, content: bytes, fault: str | None
) -> None:
    """The flow keeps the temporary file between attempts."""
    output = tmp_path / "output"
    output.write_bytes(content[: 4 * MIB])

    def scenario(client: Any) -> Any:
        emulator.faults.add("job_stuck", on="create")  # otherwise it may be complete before it is forced
        job = yield client.v1.ai_image_generator.create(image_count=1, style={"prompt": "a"})
        emulator.force(job.id, "complete")
        emulator.put_output(job.id, 0, output)
        emulator.faults.add("cut", on="download", at_byte=3 * MIB)
        if fault:
            emulator.faults.add(fault, on="download")
        return (yield client.v1.image_projects.download(job.id, tmp_path / "out"))

    [path] = world.run(scenario, **options)
    inverted = bytes(255 - value for value in range(256))  # as the emulator changes a file
    expected = output.read_bytes()
    assert path.read_bytes() == (expected.translate(inverted) if fault == "changed_etag" else expected)
    assert [fired.fault.kind for fired in emulator.faults.fired] == [
        *("job_stuck", "cut"),
        *([fault] if fault else []),
    ]
    statuses = [request.status for request in emulator.requests.find(origin="storage")]
    assert statuses == [200, 200 if fault else 206]
