"""Nothing wrong or partial ever stands under a final name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from fakes import names_in
from magic_hour_emulator import Emulator
from magic_hour_workflows import Client, InvalidArgument
from promises.child import child
from worlds import World

Options = dict[str, Any]
MIB = 1024 * 1024

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
    """A limit of the system on the size of a file does what a full disk does: it takes a part, then refuses."""
    with Client(**options) as client:
        job = client.v1.ai_image_generator.generate(image_count=1, style={"prompt": "a"}, download_outputs=False)
    content, folder = tmp_path / "content", tmp_path / "outputs"
    content.write_bytes(b"x" * 3 * MIB)
    emulator.put_output(job.id, 0, content)
    printed = child(FULL_DISK, world.name, emulator.token, emulator.url, job.id, folder, 5 * MIB // 2)
    assert printed.startswith(f"{job.id} not every output of {job.id} was saved")
    assert "cannot be written" in printed
    assert names_in(folder) == []
    assert "signature" not in printed.lower()


def test_a_file_in_text_mode_is_refused_before_anything_is_sent(
    world: World, options: Options, emulator: Emulator, tmp_path: Path
) -> None:
    """Text mode changes line ends and fails on bytes that are no text; the service would charge for what is left."""
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with path.open(encoding="latin-1") as file, pytest.raises(InvalidArgument, match="mode 'rb'"):
        world.call(lambda client: client.v1.ai_headshot_generator.generate(assets={"image_file_path": file}), **options)
    assert len(emulator.requests) == 0
