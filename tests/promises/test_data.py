"""No wrong or partial file ever has a final name."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from child_programs import child
from fakes import names_in
from magic_hour_emulator import Emulator
from magic_hour_workflows import Client
from magic_hour_workflows.errors import DownloadFailed, UploadFailed
from worlds import World

pytestmark = pytest.mark.usefixtures("small_pictures")
Options = dict[str, Any]
MIB = 1024 * 1024
CUT_AT = 400_000
"""More bytes than are buffered before a write, so that some are kept after a cut."""
CHECKSUMS = pytest.mark.parametrize("checksum", ["x-amz-checksum-sha256", "content-md5", "x-goog-hash"])

FULL_DISK = """
import resource, sys
from magic_hour_workflows.errors import DownloadFailed
from worlds import World

world, token, url, id, folder, most = sys.argv[1:]
before = resource.getrlimit(resource.RLIMIT_FSIZE)

def scenario(client):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), before[1]))
    try:
        yield lambda: client.v1.image_projects.download(id, folder)
    except DownloadFailed as error:
        print(error.project_id, error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

World(world).run(scenario, token=token, base_url=url)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_disk_that_takes_no_more_leaves_no_cut_file(
    world: World, options: Options, emulator: Emulator, tmp_path: Path
) -> None:
    """A system limit on the size of a file acts like a full disk: it accepts a part and then refuses."""
    with Client(**options) as client:
        job = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "a"}, download_outputs=False)
    content, folder = tmp_path / "content", tmp_path / "outputs"
    content.write_bytes(bytes(3 * MIB))
    emulator.put_output(job.id, 0, content)
    printed = child(FULL_DISK, world.name, emulator.token, emulator.url, job.id, folder, 5 * MIB // 2)
    assert printed.startswith(f"{job.id} not every output of {job.id} was saved")
    assert "cannot be written" in printed
    assert names_in(folder) == []
    assert "signature" not in printed.lower()


class Broken(io.BytesIO):
    """A stream that fails half-way with its own exception."""

    def __init__(self, content: bytes, *, seekable: bool) -> None:
        super().__init__(content)
        self._seekable = seekable

    def seekable(self) -> bool:
        return self._seekable

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= MIB:
            raise RuntimeError("the source is gone")
        return super().read(size)


@pytest.mark.parametrize("seekable", [True, False])
def test_a_stream_that_raises_half_way_is_a_typed_error_and_costs_nothing(
    world: World, options: Options, emulator: Emulator, seekable: bool
) -> None:
    given = {"assets": {"image_file_path": ("a.jpg", Broken(b"x" * 6 * MIB, seekable=seekable))}}
    words = r"a\.jpg was not uploaded: it cannot be read \(RuntimeError: the source is gone\)\. No job was submitted"
    with pytest.raises(UploadFailed, match=words):
        world.call(lambda client: client.v1.ai_headshot_generator.generate(**given), **options)
    assert emulator.ledger.creates == ()


@pytest.fixture
def job(emulator: Emulator, options: Options, tmp_path: Path) -> tuple[str, bytes]:
    """A complete job and its output, which is large enough to be cut."""
    with Client(**options) as client:
        job = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "a"}, download_outputs=False)
    content = Random(0).randbytes(2 * CUT_AT)
    (tmp_path / "large.png").write_bytes(content)
    emulator.put_output(job.id, 0, tmp_path / "large.png")
    return job.id, content


@CHECKSUMS
def test_nothing_is_saved_of_bytes_that_do_not_fit_their_checksum(
    world: World, options: Options, emulator: Emulator, job: tuple[str, bytes], tmp_path: Path, checksum: str
) -> None:
    """They are fetched again a few times; then the error says how to continue."""
    id, folder = job[0], tmp_path / "outputs"
    emulator.faults.add("wrong_bytes", times=None, checksum=checksum)
    with pytest.raises(DownloadFailed, match="checksum mismatch") as caught:
        world.call(lambda client: client.v1.image_projects.download(id, folder), **options)
    assert len(emulator.faults.fired) == 4
    assert (caught.value.project_id, caught.value.downloaded_paths) == (id, [])
    assert f"check_result({id!r})" in str(caught.value)
    assert names_in(folder) == []


@CHECKSUMS
def test_bytes_that_did_not_fit_are_fetched_again(
    world: World, options: Options, emulator: Emulator, job: tuple[str, bytes], tmp_path: Path, checksum: str
) -> None:
    id, folder = job[0], tmp_path / "outputs"
    emulator.faults.add("wrong_bytes", checksum=checksum)
    [path] = world.call(lambda client: client.v1.image_projects.download(id, folder), **options)
    assert path.read_bytes() == job[1]
    assert names_in(folder) == [path.name]


def test_wrong_bytes_after_a_cut_are_noticed(
    world: World, options: Options, emulator: Emulator, job: tuple[str, bytes], tmp_path: Path
) -> None:
    """After a cut comes the rest of the file, with a checksum of that response."""
    id, folder = job[0], tmp_path / "outputs"
    emulator.faults.add("cut", on="download", at_byte=CUT_AT)
    emulator.faults.add("wrong_bytes", checksum="content-md5", nth=2)
    [path] = world.call(lambda client: client.v1.image_projects.download(id, folder), **options)
    assert [each.fault.kind for each in emulator.faults.fired] == ["cut", "wrong_bytes"]
    assert path.read_bytes() == job[1]
    assert len([request for request in emulator.requests if request.origin == "storage"]) == 3


def test_half_of_a_range_is_not_taken_for_all_of_it(
    world: World, options: Options, emulator: Emulator, job: tuple[str, bytes], tmp_path: Path
) -> None:
    """The response is consistent in itself: only the length of the whole file shows that bytes are missing."""
    id, folder = job[0], tmp_path / "outputs"
    emulator.faults.add("cut", on="download", at_byte=CUT_AT)
    emulator.faults.add("range_wrong", how="short")
    [path] = world.call(lambda client: client.v1.image_projects.download(id, folder), **options)
    assert [each.fault.kind for each in emulator.faults.fired] == ["cut", "range_wrong"]
    assert path.read_bytes() == job[1]
