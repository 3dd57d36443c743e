"""Downloads on disk: nothing partial under a final name, nothing overwritten, nothing outside the directory."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes import names_in
from magic_hour_workflows import _unpacking as unpacking
from magic_hour_workflows._outputs import checked_directory, output_names, safe_stem
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows._results import Job
from magic_hour_workflows._storage_http import checked_url
from magic_hour_workflows.errors import DownloadFailed, TransferFailed, UnusableURL

URL = "https://storage.example/a.png?signature=canary"


def begun(folder: Path, content: bytes = b"\x012345", *, length: int = 10, etag: str = '"v1"') -> PartialDownload:
    partial = PartialDownload(folder, "a", ".png")
    assert partial.begin(URL, 200, {"content-length": str(length), "etag": etag}) is None
    partial.write(content)
    return partial


def arrived(folder: Path) -> PartialDownload:
    return begun(folder, b"\x01234567890")


def test_the_final_name_appears_only_at_the_end(tmp_path: Path) -> None:
    partial = begun(tmp_path)
    assert [name.endswith(".part") for name in names_in(tmp_path)] == [True]
    partial.write(b"67890")
    assert partial.finish() == tmp_path / "a.png"
    assert names_in(tmp_path) == ["a.png"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"the user's own")
    paths = [begun(tmp_path, bytes([n]), length=1).finish() for n in range(3)]
    assert [path.name for path in paths] == ["a (2).png", "a (3).png", "a (4).png"]
    assert (tmp_path / "a.png").read_bytes() == b"the user's own"
    assert [path.read_bytes() for path in paths] == [b"\0", b"\1", b"\2"]


def test_discard_touches_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    partial = arrived(tmp_path)
    partial.finish()
    partial.path.write_bytes(b"somebody else's")
    partial.discard()
    assert partial.path.read_bytes() == b"somebody else's"


def test_discard_leaves_nothing(tmp_path: Path) -> None:
    begun(tmp_path).discard()
    assert names_in(tmp_path) == []


def test_a_folder_that_is_gone_is_a_typed_error_that_is_not_repeated(tmp_path: Path) -> None:
    from magic_hour_workflows._retry import may_repeat

    partial = PartialDownload(tmp_path / "gone", "a", ".png")
    with pytest.raises(DownloadFailed, match=r"a\.png cannot be written") as caught:
        partial.write(b"1")
    assert not may_repeat(caught.value)


class TestResume:
    def test_the_rest_is_asked_for_if_the_file_cannot_have_changed(self, tmp_path: Path) -> None:
        partial = begun(tmp_path)
        assert partial.request_headers() == {"accept-encoding": "identity", "range": "bytes=5-", "if-range": '"v1"'}
        partial.begin(URL, 206, {"content-range": "bytes 5-9/10", "etag": '"v1"'})
        partial.write(b"67890")
        assert partial.finish().read_bytes() == b"\x01234567890"

    @pytest.mark.parametrize("etag", ["", 'W/"v1"'])
    def test_without_a_strong_etag_it_starts_over(self, tmp_path: Path, etag: str) -> None:
        partial = begun(tmp_path, etag=etag)
        assert "range" not in partial.request_headers()
        partial.discard()

    def test_a_full_answer_starts_over(self, tmp_path: Path) -> None:
        partial = begun(tmp_path)
        partial.begin(URL, 200, {"content-length": "4"})
        partial.write(b"\0new")
        assert partial.finish().read_bytes() == b"\0new"

    @pytest.mark.parametrize(
        "headers",
        [
            {"content-range": "bytes 0-9/10"},
            {"content-range": "bytes 6-9/10"},
            {"content-range": "bytes 5-10/11"},
            {"content-range": "nonsense"},
            {},
            {"content-range": "bytes 5-9/10", "etag": '"v2"'},
        ],
    )
    def test_another_part_than_asked_for_is_not_taken(self, tmp_path: Path, headers: dict[str, str]) -> None:
        partial = begun(tmp_path)
        with pytest.raises(TransferFailed):
            partial.begin(URL, 206, headers)
        assert partial.received == 0
        assert "range" not in partial.request_headers()
        partial.discard()

    def test_416_starts_over(self, tmp_path: Path) -> None:
        partial = begun(tmp_path)
        with pytest.raises(TransferFailed):
            partial.begin(URL, 416, {})
        assert partial.received == 0
        partial.discard()


@pytest.mark.parametrize("content", [b"\x0123", b"\x012345678901"])
def test_a_wrong_length_is_not_complete(tmp_path: Path, content: bytes) -> None:
    partial = begun(tmp_path, content)
    with pytest.raises(TransferFailed, match="of 10 bytes"):
        partial.check_complete()
    partial.discard()


@pytest.mark.parametrize("headers", [{"content-length": "5", "content-encoding": "br"}, {}])
def test_bytes_that_cannot_be_trusted_are_not_taken(tmp_path: Path, headers: dict[str, str]) -> None:
    """An encoding would be saved as if it were the file; without a length a cut would look like the end."""
    from magic_hour_workflows._retry import may_repeat

    with pytest.raises(TransferFailed) as caught:
        PartialDownload(tmp_path, "a", ".png").begin(URL, 200, headers)
    assert not may_repeat(caught.value)


def test_a_chunked_answer_needs_no_length(tmp_path: Path) -> None:
    partial = PartialDownload(tmp_path, "a", ".png")
    partial.begin(URL, 200, {"transfer-encoding": "chunked"})
    partial.write(b"\x012345")
    assert partial.finish().read_bytes() == b"\x012345"


def test_a_chunked_answer_of_nothing_is_no_file(tmp_path: Path) -> None:
    partial = PartialDownload(tmp_path, "a", ".png")
    partial.begin(URL, 200, {"transfer-encoding": "chunked"})
    with pytest.raises(TransferFailed, match="an empty answer instead of a media file"):
        partial.finish()
    partial.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_closed_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on network drives, which tell only then that there was no room."""

    def full(self: PartialDownload) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    partial = arrived(tmp_path)
    monkeypatch.setattr(PartialDownload, "_close", full)
    with pytest.raises(DownloadFailed, match="No space left on device"):
        partial.finish()
    monkeypatch.undo()
    partial.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_per_attempt_is_no_circle(tmp_path: Path) -> None:
    partial = PartialDownload(tmp_path, "a", ".png")
    for _ in range(20):
        partial.begin(URL, 302, {"location": "/b.png"})
        partial.begin(URL, 200, {"content-length": "5"})
    partial.discard()


def test_a_directory_that_vanishes_does_not_hide_what_went_wrong(tmp_path: Path) -> None:
    partial = begun(tmp_path)
    partial.path = tmp_path / "gone" / "a.part"
    partial.discard()
    assert partial._file is None


def test_redirects_are_followed_only_to_safe_places(tmp_path: Path) -> None:
    partial = PartialDownload(tmp_path, "a", ".png")
    assert (
        partial.begin(URL, 302, {"location": "/b.png?signature=canary"})
        == "https://storage.example/b.png?signature=canary"
    )
    with pytest.raises(TransferFailed, match="http://"):
        partial.begin(URL, 302, {"location": "http://elsewhere.example/b.png"})
    with pytest.raises(TransferFailed, match="in a loop"):
        [partial.begin(URL, 302, {"location": "/b.png"}) for _ in range(10)]


@pytest.mark.parametrize(
    "url", ["http://storage.example/a", "ftp://storage.example/a", "file:///etc/passwd", "", "//x/y", "http://[/"]
)
def test_where_transfers_may_not_go(url: str) -> None:
    with pytest.raises(TransferFailed):
        checked_url(url, allow_http=False)


@pytest.mark.parametrize(
    "url", ["https://storage.example/a", "http://127.0.0.1:1/a", "http://localhost/a", "http://[::1]:1/a"]
)
def test_where_transfers_may_go(url: str) -> None:
    assert checked_url(url, allow_http=False) == url


def test_plain_http_may_be_allowed() -> None:
    assert checked_url("http://storage.example/a", allow_http=True)


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("cuid-example", "cuid-example"), ("../../etc/passwd", "etc_passwd"), ("...", "output"), ("", "output"),
        ("CON", "_CON"), ("nul.txt", "_nul.txt"), ("a" * 500, "a" * 120), ("ä/ö", "ä_ö"), ("a\u0308", "ä"),
        ("日本 2026", "日本_2026"), ("हिन्दी", "हिन्दी"), ("日" * 41, "日" * 40), ("a\u202eb\x00c\ud800d", "a_b_c_d"),
    ],
)  # fmt: skip
def test_safe_stem(text: str, stem: str) -> None:
    assert safe_stem(text) == stem


@pytest.mark.parametrize(
    ("kind", "url", "suffix"),
    [
        ("image", "https://s.example/x/output.png?a=.exe", ".png"),
        ("image", "https://s.example/x/output.JPG", ".jpg"),
        ("image", "https://s.example/x/output.exe", ".png"),
        ("video", "https://s.example/x/output", ".mp4"),
        ("video", "https://s.example/x/output.webm#f", ".webm"),
    ],
)
def test_suffixes_come_from_our_own_list(kind: str, url: str, suffix: str) -> None:
    assert output_names(Job(kind, "abc"), [url], None) == [("abc-1", suffix)]


def test_the_current_directory_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert checked_directory(None) == tmp_path
    assert names_in(tmp_path) == []


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert checked_directory("~/media") == tmp_path / "media"


def test_a_file_system_that_knows_no_files_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real_open = os.open

    def named_only(path: Any, flags: int, mode: int = 0o777) -> int:
        if path == tmp_path:
            raise OSError(95, "Operation not supported")
        made.append(Path(path).suffix)
        return real_open(path, flags, mode)

    monkeypatch.setattr(os, "open", named_only)
    checked_directory(tmp_path)
    assert made == [".probe"]
    assert names_in(tmp_path) == []


def makes_files_without_a_name(directory: Path) -> bool:
    if sys.platform != "linux":
        return False
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        return False
    return True


def test_a_directory_is_tried_out_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not makes_files_without_a_name(tmp_path):
        pytest.skip("this file system cannot")

    def killed(descriptor: int) -> None:
        os_close(descriptor)
        raise KeyboardInterrupt

    os_close = os.close
    monkeypatch.setattr(os, "close", killed)
    with pytest.raises(KeyboardInterrupt):
        checked_directory(tmp_path)
    assert names_in(tmp_path) == []


BAD_URLS = [
    None, 7, b"https://storage.example/a", "", "http://[bad", "https://storage.example:99999/a",
    "https://storage.example:0/a", "https://storage.example:x/a", "https://a\N{FULLWIDTH SOLIDUS}b/c",
    "https://storage.example/\ud800", "https://\ud800.example/a", "https://a..b/c", f"https://{'a' * 64}.example/c",
    "https://[v1.example:]/a", "https://storage.example/a\nb", " https://storage.example/a",
    f"https://storage.example/{'a' * 70_000}",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_url_is_a_typed_error_that_quotes_nothing(url: object) -> None:
    with pytest.raises(UnusableURL, match=r"^storage returned an invalid URL$") as caught:
        checked_url(url, allow_http=True)
    assert (caught.value.final, caught.value.__cause__) == (True, None)


@pytest.mark.parametrize("url", [url for url in BAD_URLS[4:] if isinstance(url, str) and not url.startswith(" ")])
def test_a_redirect_to_what_is_no_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(UnusableURL):
        PartialDownload(tmp_path, "a", ".png").begin(URL, 302, {"location": url})


PNG, JPEG, WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"RIFF\x00\x00\x00\x00WEBPVP8 "
MP4, UNKNOWN = b"\x00\x00\x00\x1cftypisom\x00\x00\x02\x00isomiso2mp41", b"\x00unknown"


def saved(folder: Path, content: bytes, piece: int = 0, suffix: str = ".png", **headers: str) -> Path:
    partial = PartialDownload(folder, "a", suffix)
    told = {"content-length": str(len(content)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        partial.begin(URL, 200, told)
        for start in range(0, len(content), piece or len(content)):
            partial.write(content[start : start + (piece or len(content))])
        return partial.finish()
    finally:
        partial.discard()


@pytest.mark.parametrize("piece", [0, 1])
@pytest.mark.parametrize(
    ("content", "content_type", "expected", "suffix"),
    [
        (JPEG, "image/png", ".png", ".jpg"),  # certain bytes are believed before anything else
        (WEBP, "", ".png", ".webp"),
        (PNG, "text/html", ".png", ".png"),
        (MP4, "application/octet-stream", ".png", ".mp4"),
        (JPEG, "image/jpeg", ".jpeg", ".jpeg"),  # a name of the same format is kept, as it is written
        (PNG, "image/png", ".PNG", ".PNG"),
        (PNG, "image/png", ".jpg", ".png"),
        (b"PK\x03\x04" + bytes(30), "application/zip", ".png", ".zip"),
        (UNKNOWN, "image/avif; q=1", ".png", ".avif"),  # then the type
        (UNKNOWN, "image/jxl", ".png", ".jxl"),
        (UNKNOWN, "image/of-the-future", ".png", ".png"),  # then the name
        (UNKNOWN, "binary/octet-stream", ".webm", ".webm"),
        (UNKNOWN, "", ".png", ".png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", ".png", ".svg"),
    ],
)
def test_the_suffix_says_what_the_file_is(
    tmp_path: Path, content: bytes, content_type: str, expected: str, suffix: str, piece: int
) -> None:
    assert saved(tmp_path, content, piece, expected, content_type=content_type) == tmp_path / f"a{suffix}"
    assert names_in(tmp_path) == [f"a{suffix}"]


@pytest.mark.parametrize("length", [0, 5000])
@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"message": "no"}', "application/json"),
        (b"<?xml version='1.0'?><Error/>", "application/xml"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "application/xhtml+xml"),
        (b"<!DOCTYPE html>", "text/html"),
        (b"Access denied", "text/plain"),
        (b"Access denied", "image/png"),
        ("Zugriff verweigert".encode("utf-16"), ""),
        (UNKNOWN, "application/json"),
        (b"%PDF-1.7\n\x00", "application/octet-stream"),
        (b"%PDF-1.7\n\x00", "image/png"),
        (gzip.compress(b"<html>", mtime=0), "image/png"),
        ("<html>Zugriff verweigert für Sie".encode("latin-1"), "image/png"),
        ("Zugriff verweigert für Sie".encode("latin-1"), "image/png"),
        ("<?xml version='1.0' encoding='iso-8859-1'?><Error>é".encode("latin-1"), "binary/octet-stream"),
        ("<Error/>".encode("utf-16-le"), "image/png"),
        ('{"error": 1}'.encode("utf-16-be"), ""),
        (b"<html>\x00", "image/png"),
        (b'{"error": 1}', "image/svg+xml"),
        (b"<html/>", "image/svg+xml"),
    ],
)
def test_a_message_in_place_of_an_output_is_not_saved(
    tmp_path: Path, content: bytes, content_type: str, length: int
) -> None:
    with pytest.raises(TransferFailed, match="instead of a media file") as caught:
        saved(tmp_path, content.ljust(length), content_type=content_type)
    assert names_in(tmp_path) == []
    assert not caught.value.final  # what stands between us and storage may be gone next time


def test_a_film_that_begins_like_a_page_is_saved(tmp_path: Path) -> None:
    """The first box of an MP4 may have 60 bytes, and 60 is `<`."""
    content = b"\x00\x00\x00<ftypisom" + bytes(4) + b"isom" * 11 + bytes(100)
    assert saved(tmp_path, content, suffix=".mp4", content_type="video/mp4").name == "a.mp4"


def test_a_message_that_is_called_media_is_called_a_message(tmp_path: Path) -> None:
    with pytest.raises(TransferFailed, match=r"^storage returned a message instead of a media file$"):
        saved(tmp_path, b"Access denied", content_type="image/png")


def test_what_storage_says_of_a_message_is_shown_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(TransferFailed) as caught:
        saved(tmp_path, b"no", content_type="text/\x1b[31m\rplain")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("piece", [0, 1, 1000])
@pytest.mark.parametrize("name", ["gzip", "x-gzip", "deflate", "raw deflate", "aws-chunked", "none", "", "identity"])
def test_a_packed_output_is_unpacked(tmp_path: Path, name: str, piece: int) -> None:
    content = PNG + os.urandom(3000) + bytes(3000)
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = {
        "gzip": gzip.compress(content[:5]) + gzip.compress(content[5:]) + bytes(8),
        "x-gzip": gzip.compress(content),
        "deflate": zlib.compress(content),
        "raw deflate": raw.compress(content) + raw.flush(),
    }.get(name, content)
    headers = {"content_encoding": name.removeprefix("raw "), "content_md5": md5(packed)}
    assert saved(tmp_path, packed, piece, **headers).read_bytes() == content


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize("change", [lambda packed: packed[:-4], lambda packed: packed[:-8] + bytes(8)])
def test_a_packed_output_that_is_damaged_is_fetched_again(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TransferFailed, match="decompressed") as caught:
        saved(tmp_path, change(gzip.compress(PNG + bytes(5000))), content_encoding="gzip")
    assert (caught.value.final, names_in(tmp_path)) == (False, [])


def test_a_packed_output_cannot_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "ALWAYS_UNPACKED", 100_000)
    with pytest.raises(TransferFailed, match="too large when it is decompressed") as caught:
        saved(tmp_path, gzip.compress(bytes(5_000_000)), content_encoding="gzip")
    assert (caught.value.final, names_in(tmp_path)) == (True, [])


def test_unpacking_holds_a_piece_at_a_time() -> None:
    made = unpacking.unpacker("gzip")
    assert made is not None
    sizes = [len(piece) for piece in made.unpack(gzip.compress(bytes(5_000_000)))]
    assert (sum(sizes), max(sizes), made.finished) == (5_000_000, unpacking.PIECE_BYTES, True)


class TestResumeOfAPackedOutput:
    def test_it_starts_over(self, tmp_path: Path) -> None:
        packed = gzip.compress(PNG + os.urandom(3000))
        head = {"content-length": str(len(packed)), "content-encoding": "gzip", "etag": '"v1"'}
        partial = PartialDownload(tmp_path, "a", ".png")
        partial.begin(URL, 200, head)
        partial.write(packed[:1000])
        assert "range" not in partial.request_headers()
        partial.begin(URL, 200, head)
        partial.write(packed)
        assert partial.finish().read_bytes() == gzip.decompress(packed)

    def test_a_packed_rest_is_not_put_behind_what_was_not_packed(self, tmp_path: Path) -> None:
        partial = begun(tmp_path)
        with pytest.raises(TransferFailed):
            partial.begin(URL, 206, {"content-range": "bytes 5-9/10", "content-encoding": "gzip"})
        assert partial.received == 0
        partial.discard()


@pytest.mark.parametrize("length", ["9" * 5000, "1e3", "-1", "\N{ARABIC-INDIC DIGIT FIVE}", "5.0"])
def test_a_length_that_cannot_be_is_none(tmp_path: Path, length: str) -> None:
    with pytest.raises(TransferFailed, match="how long the file is"):
        PartialDownload(tmp_path, "a", ".png").begin(URL, 200, {"content-length": length})


@pytest.mark.parametrize("value", [f"bytes 5-9/{'9' * 5000}", f"bytes {'5' * 5000}-9/10", "bytes \u0665-9/10"])
def test_a_range_that_cannot_be_is_another_one(tmp_path: Path, value: str) -> None:
    partial = begun(tmp_path)
    with pytest.raises(TransferFailed):
        partial.begin(URL, 206, {"content-range": value})
    partial.discard()
