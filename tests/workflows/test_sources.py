"""Input files: every value that may stand for one, and every mistake with one."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from magic_hour_client.errors import InvalidArgument
from magic_hour_workflows._assets import is_remote, to_source
from magic_hour_workflows._outputs import checked_output_name
from magic_hour_workflows._sources import EXTENSIONS, Source, checked_extension
from magic_hour_workflows._streams import read_chunk
from magic_hour_workflows.errors import AssetNotFound, TransferFailed

FIELD = "assets.image_file_path"


def source(value: Any, role: Any = "image") -> Source:
    return to_source(value, role, FIELD)


def content(found: Source) -> bytes:
    size = found.prepare()
    with found.opened() as file:
        read = file.read()
    assert len(read) == size
    return read


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.PNG"
    path.write_bytes(b"picture")
    return path


class Unseekable(io.RawIOBase):
    """A stream as it comes from a pipe or a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)


class TestValues:
    def test_path(self, picture: Path) -> None:
        assert content(source(picture)) == content(source(str(picture))) == b"picture"
        assert source(picture).known.extension == "png"

    def test_open_file_from_where_it_stands(self, picture: Path) -> None:
        with picture.open("rb") as file:
            file.seek(4)
            found = source(file)
            assert found.size == 3
            assert content(found) == content(found) == b"ure"
            assert not file.closed

    def test_pair_of_name_and_bytes(self) -> None:
        assert content(source(("a.png", b"bytes"))) == b"bytes"
        assert content(source(("a.png", bytearray(b"bytes")))) == b"bytes"
        assert content(source(("a.png", memoryview(b"bytes")))) == b"bytes"

    def test_stream_that_cannot_be_rewound(self) -> None:
        found = source(("a.png", Unseekable(b"x" * 5_000_000)))
        assert content(found) == content(found) == b"x" * 5_000_000
        found.close()

    def test_temporary_file_with_a_number_for_a_name(self) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(b"bytes")
            file.seek(0)
            with pytest.raises(InvalidArgument, match="no file name"):
                source(file)
            assert content(source(("a.png", file))) == b"bytes"

    def test_the_same_file_is_the_same_source(self, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(picture.parent)
        assert source("picture.PNG").identity == source(picture).identity


class TestMistakes:
    def check(self, value: Any, match: str, kind: type[Exception] = InvalidArgument) -> None:
        with pytest.raises(kind, match=match) as caught:
            source(value)
        assert isinstance(caught.value, ValueError)
        assert caught.value.field == FIELD

    @pytest.mark.parametrize("name", ["a.txt", "a", "a.mp3", ".png", "a.mp4"])
    def test_wrong_extension(self, name: str) -> None:
        self.check((name, b"bytes"), "expected an image")

    @pytest.mark.parametrize("value", [7, None, object(), ["a.png"], ("a.png",), ("a.png", "text"), {"a": 1}])
    def test_other_types(self, value: Any) -> None:
        self.check(value, "expected a path")


def test_a_file_that_vanishes_is_a_typed_error(picture: Path) -> None:
    found = source(picture)
    picture.unlink()
    with pytest.raises(FileNotFoundError, match="no longer there"):
        found.prepare()
    with pytest.raises(AssetNotFound, match="no longer there"), found.opened():
        pass


def test_an_empty_pipe_is_found_before_the_upload() -> None:
    found = source(("a.png", Unseekable(b"")))
    with pytest.raises(InvalidArgument, match="is empty"):
        found.prepare()
    found.close()


def test_a_slow_pipe_is_read_for_no_longer_than_there_is_time() -> None:
    found = source(("a.png", Unseekable(b"x" * 5_000_000)))
    with pytest.raises(TransferFailed, match="not be read in time"):
        found.prepare(lambda: 0.0)


def test_a_pipe_that_does_not_wait_is_refused() -> None:
    class NothingYet(Unseekable):
        def read(self, size: int = -1) -> bytes:
            return None if size else b""

    with pytest.raises(TransferFailed, match="nothing to read yet"):
        source(("a.png", NothingYet(b""))).prepare()


class Failing(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if size:
            raise OSError(5, "Input/output error")
        return b""


class FailingPipe(Failing):
    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("stream", [Failing(b"bytes"), FailingPipe(b"bytes")])
def test_a_stream_that_cannot_be_read_is_a_typed_error(stream: io.BytesIO) -> None:
    found = source(("a.png", stream))
    with pytest.raises(TransferFailed, match="Input/output error"):
        read_all(found)


def test_a_stream_that_is_closed_meanwhile_is_a_typed_error() -> None:
    stream = io.BytesIO(b"bytes")
    found = source(("a.png", stream))
    stream.close()
    with pytest.raises(TransferFailed, match="closed"):
        read_all(found)


def read_all(found: Source) -> None:
    found.prepare()
    with found.opened() as file:
        read_chunk(file, 10)


def test_two_uploads_cannot_read_one_stream() -> None:
    stream = io.BytesIO(b"bytes")
    first, second = source(("a.png", stream)), source(("a.png", stream))
    with first.opened() as file:
        file.read(2)
        with pytest.raises(InvalidArgument, match="its own stream"), second.opened():
            pass
        with pytest.raises(InvalidArgument, match="its own stream"):
            source(("a.png", stream))
    assert content(second) == b"bytes"


def test_a_stream_whose_seek_returns_nothing() -> None:
    class Odd(io.BytesIO):
        def seek(self, *arguments: int) -> None:
            super().seek(*arguments)

    assert source(("a.png", Odd(b"bytes"))).size == 5


@pytest.mark.parametrize(
    ("name", "roles", "form"),
    [
        ("a.gif", ("video", "gif"), ("gif", "video")),
        ("a.mp4", ("video", "gif"), ("mp4", "video")),
        ("a.webp", ("video", "gif"), ("webp", "video")),
        ("a.webp", ("image", "gif"), ("webp", "image")),  # the first role that takes it
        ("a.gif", None, ("gif", "video")),
        ("a.webp", None, ("webp", "image")),
        ("a.wav", ("image", "audio"), ("wav", "audio")),
    ],
)
def test_the_extension_decides_between_roles(name: str, roles: Any, form: tuple[str, str]) -> None:
    assert checked_extension(name, roles, FIELD) == form


def test_what_fits_none_of_several_roles() -> None:
    with pytest.raises(InvalidArgument) as caught:
        checked_extension("a.txt", ("video", "gif"), FIELD)
    assert str(caught.value).startswith(
        f"`{FIELD}`: expected a video or a GIF, but a.txt ends in .txt; the service takes"
    )
    assert "webm, gif, webp" in str(caught.value)


def test_a_gif_is_known_by_its_first_bytes() -> None:
    assert checked_extension("a", ("video", "gif"), FIELD, b"GIF89a\1\0\1\0\0\0\0;") == ("gif", "video")
    assert checked_output_name("a.gif", "image") == checked_output_name("a.gif", "video") == "a.gif"


@pytest.mark.parametrize(("role", "extension"), [(role, e) for role, group in EXTENSIONS.items() for e in group])
def test_every_extension_of_the_service(role: Any, extension: str) -> None:
    uploaded_as = "video" if role == "gif" else role
    assert checked_extension(f"A.{extension.upper()}", role, FIELD) == (extension, uploaded_as)


def test_webm_is_both_and_a_video_without_a_role() -> None:
    assert checked_extension("a.webm", "audio", FIELD) == ("webm", "audio")
    assert checked_extension("a.webm", None, FIELD) == ("webm", "video")


@pytest.mark.parametrize(
    "value",
    [
        "https://a.example/p.png", "http://a.example/p.png", "https://magichour.ai/my-library?imageId=1",
        "api-assets/id/1234.png", "image/id/1.png", "video/id/1.mp4", "audio/id/1.mp3", "saved-items/1.png",
    ],
)  # fmt: skip
def test_remote(value: str) -> None:
    assert is_remote(value)


def test_a_local_file_in_a_folder_called_image_is_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("image")
    Path("image/me.png").write_bytes(b"x")
    assert not is_remote("image/me.png")
    assert is_remote("image/other.png")
