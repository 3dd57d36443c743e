"""Small uploads that are in memory go out without a thread; whatever may have to be waited for is left to one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from magic_hour_client.errors import InvalidArgument
from magic_hour_workflows import _file_stream as reading
from magic_hour_workflows._assets import to_source
from magic_hour_workflows._sources import Source
from worlds import ignore_bytes

MIB = 1024 * 1024
CONTENT = bytes(range(256)) * 800


@pytest.fixture(params=["asyncio", "trio"])
def sent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Source], tuple[bytes, int]]:
    """What is sent of a source, and how often a thread was asked for it."""
    asked: list[object] = []
    run_in_thread = reading.run_in_thread

    async def noted(function: Callable[[], Any], *, abandon_on_cancel: bool) -> Any:
        asked.append(function)
        return await run_in_thread(function, abandon_on_cancel=abandon_on_cancel)

    async def read(source: Source) -> tuple[bytes, int]:
        async with reading.reading(source, ignore_bytes) as chunks:
            content = b"".join([chunk async for chunk in chunks])
        assert len(content) == chunks.size == source.size
        return content, len(asked)

    monkeypatch.setattr(reading, "run_in_thread", noted)
    return lambda source: anyio.run(read, source, backend=request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT)
    return path


def knows_what_is_in_memory(path: Path) -> bool:
    if sys.platform != "linux":
        return False
    with path.open("rb") as file:
        try:
            return os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT) == 1
        except (AttributeError, OSError):
            return False


def test_a_small_file_in_memory_needs_no_thread(sent: Any, path: Path) -> None:
    if not knows_what_is_in_memory(path):
        pytest.skip("this system does not tell what it has in memory")
    assert sent(to_source(path, "image", "file")) == (CONTENT, 0)


def test_it_is_sent_as_it_is_now(sent: Any, path: Path) -> None:
    source = to_source(path, "image", "file")
    path.write_bytes(CONTENT * 2)
    assert sent(source)[0] == CONTENT * 2


def test_bytes_need_no_thread(sent: Any) -> None:
    source = to_source(("a.png", CONTENT), "image", "file")
    assert sent(source) == sent(source) == (CONTENT, 0)


def test_a_larger_file_is_left_to_a_thread(sent: Any, path: Path) -> None:
    path.write_bytes(bytes(MIB + 1))
    content, asked = sent(to_source(path, "image", "file"))
    assert content == bytes(MIB + 1)
    assert asked == 1


def waits(*_: object) -> int:
    raise BlockingIOError


def does_not_know(*_: object) -> int:
    raise OSError(95, "Operation not supported")


def has_a_part(*_: object) -> int:
    return 100


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
@pytest.mark.parametrize("answer", [waits, does_not_know, has_a_part])
def test_what_is_not_in_memory_is_left_to_a_thread(
    sent: Any, path: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[..., int]
) -> None:
    monkeypatch.setattr(os, "preadv", answer)
    assert sent(to_source(path, "image", "file")) == (CONTENT, 1)


def test_a_system_without_such_a_flag(sent: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "RWF_NOWAIT", raising=False)
    assert sent(to_source(path, "image", "file")) == (CONTENT, 1)


def test_a_file_emptied_meanwhile_is_refused(sent: Any, path: Path) -> None:
    source = to_source(path, "image", "file")
    path.write_bytes(b"")
    with pytest.raises(InvalidArgument, match="empty"):
        sent(source)
