"""What callers hand in: objects that raise anything, streams that end early, uploads of frameworks, pictures, pipes."""

from __future__ import annotations

import base64
import http.client
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.datastructures import UploadFile

from fakes import FakeBackend, call, created
from magic_hour_client.api.v1_image_projects import create_ai_headshot, create_ai_image_edit
from magic_hour_client.errors import InvalidArgument, MagicHourError
from magic_hour_workflows._assets import to_source
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.generate import OutputOptions, generate, upload_file
from magic_hour_workflows._sources import Source
from magic_hour_workflows.errors import TransferFailed, UploadFailed
from magic_hour_workflows.events import Uploading

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(200))
MP3 = b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(range(200))
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(range(200))
FIELD = "assets.image_file_path"


def content(source: Source) -> bytes:
    """What is read of a source, twice the same."""
    try:
        size = source.prepare()
        with source.opened() as file:
            read = file.read()
        with source.opened() as file:
            assert file.read() == read
    finally:
        source.close()
    assert len(read) == size
    return read


def picture(value: Any) -> Source:
    return to_source(value, "image", FIELD)


def headshot(value: Any) -> FakeBackend:
    """Run a headshot; what went out is in the IO, also if it raises."""
    io = FakeBackend().script("v1.ai_headshot_generator.create", created())
    outputs = OutputOptions(wait_for_completion=False)
    given = {"assets": {"image_file_path": value}}
    try:
        run_sync(generate(call(io), create_ai_headshot, given, outputs))
    except MagicHourError:
        assert "v1.ai_headshot_generator.create" not in io.names()
        raise
    return io


class IncompleteReadError(Exception):
    """As those of botocore and asyncio are called."""


class Strange(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


ERRORS = [
    RuntimeError("boom"),
    IncompleteReadError("10 read, but total bytes expected is 20"),
    NotImplementedError(),
    io.UnsupportedOperation("seek"),
    EOFError("Compressed file ended before the end-of-stream marker was reached"),
    Strange(),
]


def hostile(method: str, error: BaseException, *, seekable: bool = True) -> Any:
    """A stream with one method or property that raises."""

    def raises(self: Any, *arguments: Any) -> Any:
        if (method, arguments) == ("read", (0,)):
            return b""
        raise error

    is_property = method in ("name", "closed")
    parts: dict[str, Any] = {"seekable": lambda self: seekable, method: property(raises) if is_property else raises}
    return type("Hostile", (io.BytesIO,), parts)(PNG)


class TestStreamsThatRaise:
    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
    @pytest.mark.parametrize("seekable", [True, False])
    def test_one_that_cannot_be_read_is_a_typed_error_that_names_the_file(
        self, error: Exception, seekable: bool
    ) -> None:
        with pytest.raises(UploadFailed, match=r"^a\.jpg was not uploaded: it cannot be read") as failed:
            headshot(("a.jpg", hostile("read", error, seekable=seekable)))
        assert "No job was submitted" in str(failed.value)

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
    @pytest.mark.parametrize("method", ["seek", "tell", "seekable", "name", "closed", "readable"])
    def test_what_else_it_cannot_do_is_done_without(self, method: str, error: Exception) -> None:
        assert headshot(("a.jpg", hostile(method, error))).puts[0][1] == PNG

    def test_one_that_does_not_come_back_from_its_end_is_refused(self) -> None:
        class Lost(io.BytesIO):
            def seek(self, position: int, whence: int = 0, /) -> int:
                if whence == os.SEEK_SET:
                    raise RuntimeError("one way only")
                return super().seek(position, whence)

        with pytest.raises(InvalidArgument, match=r"a\.jpg: it cannot be read \(RuntimeError: one way only\)"):
            headshot(("a.jpg", Lost(PNG)))

    @pytest.mark.parametrize("answer", ["text", 7, [b"x"], b"x" * 2_000_000])
    def test_one_that_gives_something_else_than_the_bytes_asked_for(self, answer: Any) -> None:
        class Odd(io.BytesIO):
            def read(self, size: int | None = -1, /) -> Any:
                return answer if size else b""

        with pytest.raises(UploadFailed, match=r"^a\.jpg was not uploaded: it cannot be read \(its read\(\) returned"):
            headshot(("a.jpg", Odd(PNG)))

    @pytest.mark.parametrize("method", ["read", "seek", "closed", "tell"])
    def test_ctrl_c_passes(self, method: str) -> None:
        with pytest.raises(KeyboardInterrupt):
            headshot(("a.jpg", hostile(method, KeyboardInterrupt())))

    def test_a_path_object_may_raise_too(self) -> None:
        class Broken(os.PathLike[str]):
            def __fspath__(self) -> str:
                raise RuntimeError("boom")

            def __str__(self) -> str:
                raise RuntimeError("no words")

        with pytest.raises(InvalidArgument, match="not a valid file path"):
            headshot(Broken())

    def test_its_words_are_shown_without_secrets(self) -> None:
        error = RuntimeError("GET https://storage.example/a.jpg?X-Signature=canary\x1b[31m failed")
        with pytest.raises(UploadFailed) as failed:
            headshot(("a.jpg", hostile("read", error)))
        assert "canary" not in str(failed.value)
        assert str(failed.value).isprintable()


def answer(head: str, body: bytes) -> http.client.HTTPResponse:
    """An answer of `urllib.request.urlopen`, of a connection that ended after `body`."""

    class Socket:
        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)

    response = http.client.HTTPResponse(Socket())  # type: ignore[arg-type]
    response.begin()
    return response


class Raw(io.BytesIO):
    """As `requests` has an answer as `raw`: the body of urllib3."""

    def __init__(self, body: bytes, left: int | None, **headers: str) -> None:
        super().__init__(body)
        self.length_remaining = left
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError


class TestStreamsThatEndEarly:
    @pytest.mark.parametrize(
        "stream",
        [
            answer(f"Content-Length: {2 * len(JPEG)}", JPEG),
            answer("Transfer-Encoding: chunked", b"40\r\n" + JPEG[:20]),
            Raw(JPEG, 2 * len(JPEG)),
            Raw(JPEG, None, content_length=str(2 * len(JPEG))),
        ],
        ids=["urlopen", "urlopen, chunked", "requests", "by its header"],
    )
    def test_half_a_picture_is_not_uploaded(self, stream: Any) -> None:
        with pytest.raises(UploadFailed, match=r"^a\.jpg was not uploaded: it (ended early|cannot be read)"):
            headshot(("a.jpg", stream))

    @pytest.mark.parametrize(
        "stream",
        [
            answer(f"Content-Length: {len(JPEG)}", JPEG),
            answer("Transfer-Encoding: chunked", f"{len(JPEG):x}\r\n".encode() + JPEG + b"\r\n0\r\n\r\n"),
            answer("Connection: close", JPEG),
            Raw(JPEG, len(JPEG)),
            Raw(JPEG, 2 * len(JPEG), content_encoding="gzip"),
            Raw(JPEG, None, content_length="many"),
        ],
        ids=["urlopen", "urlopen, chunked", "without a length", "requests", "unpacked", "no number"],
    )
    def test_a_whole_one_is(self, stream: Any) -> None:
        assert headshot(("a.jpg", stream)).puts[0][1] == JPEG


class TestNames:
    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("a\x1b[31mb.png", r"a\x1b[31mb.png"),
            ("a\nb.png", r"a\nb.png"),
            ("a\u202egpj.png", r"a\u202egpj.png"),
            ("a\udcff.png", r"a\udcff.png"),
            ("https://storage.example/id/a.png?X-Signature=canary", "a.png"),
            ("a.png?X-Signature=canary", "a.png?…"),
            ("C" * 300 + ".png", "C" * 200 + "…"),
        ],
    )
    def test_are_safe_to_print_and_tell_no_secret(self, name: str, shown: str) -> None:
        events: list[Any] = []
        io = FakeBackend()
        run_sync(upload_file(call(io, on_progress=events.append), (name, PNG), "image"))
        assert picture((name, PNG)).name == shown
        assert [event.name for event in events if isinstance(event, Uploading)] == [shown]
        assert io.sent[0].body == {"items": [{"type": "image", "extension": "png"}]}

    @pytest.mark.parametrize(
        "name", ["a.txt", "a.t\x1b[31mxt", "a.txt?X-Signature=canary", "a\n.png?X-Signature=canary"]
    )
    def test_are_so_in_errors(self, name: str) -> None:
        with pytest.raises(InvalidArgument) as refused:
            picture((name, b"text" if ".t" in name else b""))
        assert str(refused.value).isprintable()
        assert "canary" not in str(refused.value)

    def test_of_files_on_disk(self, tmp_path: Path) -> None:
        path = tmp_path / "a\x1b[31m.png?X-Signature=canary"
        path.write_bytes(PNG)
        source = picture(path)
        assert (source.name, source.known.extension, content(source)) == (r"a\x1b[31m.png?…", "png", PNG)
        path.unlink()
        with pytest.raises(InvalidArgument) as gone:
            picture(path)
        assert "canary" not in str(gone.value)
        assert str(gone.value).isprintable()


class TestSeveral:
    @pytest.mark.parametrize("shape", [list, tuple, iter, lambda files: (file for file in files), dict.fromkeys])
    def test_any_iterable_of_files_but_a_dict(self, portrait: Path, shape: Callable[[Any], Any]) -> None:
        files = [str(portrait), portrait, "https://a.example/b.png"]
        given = {"assets": {"image_file_paths": shape(files)}, "style": {"prompt": "x"}}
        io = FakeBackend().script("v1.ai_image_editor.create", created())
        work = generate(call(io), create_ai_image_edit, given, OutputOptions(wait_for_completion=False))
        if shape == dict.fromkeys:
            with pytest.raises(InvalidArgument, match="put a single file in brackets"):
                run_sync(work)
            return
        run_sync(work)
        [body] = [operation.body for operation in io.sent if operation.name == "v1.ai_image_editor.create"]
        uploaded = "api-assets/id/0.jpg"
        assert body["assets"]["image_file_paths"] == [uploaded, uploaded, "https://a.example/b.png"]

    def test_a_generator_that_raises_or_never_ends(self) -> None:
        def raising() -> Any:
            yield "https://a.example/b.png"
            raise RuntimeError("boom")

        with pytest.raises(InvalidArgument, match=r"could not be listed \(RuntimeError: boom\)"):
            create(raising())
        with pytest.raises(InvalidArgument, match="more than 1000 files"):
            create(iter(lambda: "https://a.example/b.png", None))


def create(files: Any) -> None:
    given = {"assets": {"image_file_paths": files}, "style": {"prompt": "x"}}
    run_sync(generate(call(FakeBackend()), create_ai_image_edit, given, OutputOptions(wait_for_completion=False)))


class FileStorage:
    """As Flask has an upload: `name` is the field of the form."""

    name = "photo"

    def __init__(self, data: bytes, filename: str) -> None:
        self.stream = io.BytesIO(data)
        self.filename = filename
        self.read = self.stream.read


class ndarray:
    __array_interface__ = None

    def __iter__(self) -> Any:
        return iter(())


class Response:
    """As httpx and requests have one."""

    content = PNG
    iter_bytes = iter_content = None

    def read(self) -> bytes:
        return self.content


class TestOtherObjects:
    @pytest.mark.parametrize(
        "value",
        [
            UploadFile(io.BytesIO(PNG), filename="a.png"),
            ("b.png", UploadFile(io.BytesIO(PNG), filename="a.txt")),
            UploadFile(io.BytesIO(PNG), filename="blob"),
            UploadFile(io.BytesIO(PNG)),
            FileStorage(PNG, "a.png"),
            ("a.png", FileStorage(PNG, "a.txt")),
            "data:image/png;base64," + base64.b64encode(PNG).decode(),
            "data:application/octet-stream;base64," + base64.b64encode(PNG).decode().replace("=", "%3D"),
        ],
    )
    def test_are_taken(self, value: Any) -> None:
        source = picture(value)
        assert (content(source), source.known) == (PNG, ("png", "image"))

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "YCbCr", "F", "LA", "I;16"])
    def test_pictures_of_pillow_are_taken(self, mode: str) -> None:
        source = picture(Image.new(mode, (20, 10)))
        with Image.open(io.BytesIO(content(source))) as found:
            assert (found.format, found.size) == ("PNG", (20, 10))
        with pytest.raises(InvalidArgument, match="expected an audio file"):
            to_source(Image.new(mode, (20, 10)), "audio", FIELD)

    def test_a_picture_that_lies_on_its_side_is_put_upright(self) -> None:
        image = Image.new("RGB", (20, 10))
        image.getexif()[0x0112] = 6
        with Image.open(io.BytesIO(content(picture(image)))) as found:
            assert found.size == (10, 20)

    def test_a_picture_that_cannot_be_decoded_is_a_typed_error(self, portrait: Path) -> None:
        broken = io.BytesIO(portrait.read_bytes()[:2000])
        with Image.open(broken) as image, pytest.raises(UploadFailed, match=r"image\.png was not uploaded: it cannot"):
            headshot(image)

    @pytest.mark.parametrize(
        ("value", "line"),
        [
            (ndarray(), "PIL.Image.fromarray(array)"),
            (Response(), '("portrait.png", response.content)'),
        ],
    )
    def test_others_are_refused_with_the_line_to_write(self, value: Any, line: str) -> None:
        with pytest.raises(InvalidArgument) as refused:
            picture(value)
        assert line in str(refused.value)


class TestFilesWithoutAnExtension:
    @pytest.mark.parametrize(
        ("data", "role", "found"),
        [
            (PNG, "image", ("png", "image")),
            (JPEG, "image", ("jpg", "image")),
            (MP3, "audio", ("mp3", "audio")),
            (MP4, "video", ("mp4", "video")),
            (MP4, "audio", ("m4a", "audio")),
            (PNG, None, ("png", "image")),
            (MP4, None, ("mp4", "video")),
        ],
    )
    @pytest.mark.parametrize("name", ["portrait", "download.tmp", ".cache"])
    def test_are_told_by_role_and_first_bytes(
        self, tmp_path: Path, name: str, data: bytes, role: Any, found: Any
    ) -> None:
        path = tmp_path / name
        path.write_bytes(data)
        stream = io.BytesIO(b"head" + data)
        stream.seek(4)
        for value in (path, (name, data), (name, stream)):
            source = to_source(value, role, FIELD)
            assert (content(source), source.known) == (data, found)
        assert stream.tell() == 4

    @pytest.mark.parametrize("data", [b"text", MP3, b"%PDF-1.7 " + bytes(20)])
    def test_what_is_something_else_is_refused(self, data: bytes) -> None:
        with pytest.raises(InvalidArgument, match="expected an image, but portrait has no extension"):
            picture(("portrait", data))

    def test_a_name_that_tells_it_is_believed(self) -> None:
        assert picture(("a.png", JPEG)).known == ("png", "image")

    @pytest.mark.parametrize(("data", "right"), [(PNG, True), (MP3, False)])
    def test_a_stream_that_has_to_be_read_is_told_before_the_upload(self, data: bytes, right: bool) -> None:
        stream = Raw(data, len(data))
        if right:
            assert headshot(("portrait", stream)).sent[0].body == {"items": [{"type": "image", "extension": "png"}]}
            return
        with pytest.raises(InvalidArgument, match="has no extension and is mp3"):
            headshot(("portrait", stream))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
class TestPipes:
    def test_process_substitution(self) -> None:
        reading, writing = os.pipe()
        writer = threading.Thread(target=lambda: (os.write(writing, PNG * 5000), os.close(writing)), daemon=True)
        writer.start()
        source = picture(f"/dev/fd/{reading}")
        assert content(source) == PNG * 5000
        assert source.known == ("png", "image")
        writer.join()
        os.close(reading)

    def test_a_named_pipe_is_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        os.mkfifo(path)
        source = picture(path)
        writer = threading.Thread(target=path.write_bytes, args=(PNG,), daemon=True)
        writer.start()
        assert (content(source), source.known.extension) == (PNG, "jpg")
        writer.join()

    def test_not_for_longer_than_there_is_time(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        os.mkfifo(path)
        left = iter([0.05, 0.01])
        with pytest.raises(TransferFailed, match="not be read in time"):
            picture(path).prepare(lambda: next(left, 0.0))

    def test_an_empty_one_is_refused(self, tmp_path: Path) -> None:
        reading, writing = os.pipe()
        os.close(writing)
        with pytest.raises(InvalidArgument, match="is empty"):
            content(picture(f"/dev/fd/{reading}"))
        os.close(reading)
