"""Checksums that storage tells: bytes that do not fit are never saved, and what proves nothing refuses nothing."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from magic_hour_workflows._checksums import reported
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows._retry import may_repeat
from magic_hour_workflows.errors import TransferFailed

URL = "https://storage.example/a.png?signature=canary"
CONTENT = b"\x01234567890"


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _sha256(content: bytes) -> str:
    return _base64(hashlib.sha256(content).digest())


def _md5(content: bytes) -> str:
    return _base64(hashlib.md5(content).digest())  # noqa: S324  (the storages' choice)


def _reports(content: bytes) -> list[tuple[str, str, str]]:
    """The algorithm, the header and its value, as storages tell them."""
    crc = zlib.crc32(content).to_bytes(4, "big")
    sha1 = hashlib.sha1(content).digest()  # noqa: S324  (the storages' choice)
    return [
        ("SHA-256", "x-amz-checksum-sha256", _sha256(content)),
        ("SHA-256", "repr-digest", f"sha-256=:{_sha256(content)}:"),
        ("SHA-256", "repr-digest", f"sha-512=:AAAA:, sha-256=:{_sha256(content)}:"),
        ("SHA-256", "content-digest", f"sha-256=:{_sha256(content)}:"),
        ("SHA-256", "digest", f"SHA-256={_sha256(content)}"),
        ("SHA-1", "x-amz-checksum-sha1", _base64(sha1)),
        ("MD5", "x-goog-hash", f"crc32c=AAAAAA==, md5={_md5(content)}"),
        ("MD5", "content-md5", _md5(content)),
        ("CRC-32", "x-amz-checksum-crc32", _base64(crc)),
    ]


TELLINGS = pytest.mark.parametrize(
    ("name", "header", "value"), _reports(CONTENT), ids=[f"{header} {name}" for name, header, _ in _reports(b"")]
)


class TestTold:
    @TELLINGS
    def test_the_right_bytes_fit_in_whatever_pieces_they_come(self, name: str, header: str, value: str) -> None:
        checksum = reported({header: value})
        assert checksum is not None
        assert checksum.name == name
        for piece in (b"\x0123", b"", b"4567890"):
            assert not checksum.fits
            checksum.update(piece)
        assert checksum.fits

    @TELLINGS
    def test_of_a_part_only_what_is_reported_of_the_answer(self, name: str, header: str, value: str) -> None:
        assert (reported({header: value}, part=True) is not None) == (header in ("content-digest", "content-md5"))

    def test_the_strongest_counts(self) -> None:
        every = [(name, {header: value}) for name, header, value in _reports(CONTENT)]
        for number, (name, _) in enumerate(every):
            checksum = reported(
                {key: value for _, headers in reversed(every[number:]) for key, value in headers.items()}
            )
            assert checksum is not None
            assert checksum.name == name

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"etag": f'"{hashlib.md5(CONTENT).hexdigest()}"'},  # noqa: S324  (S3 makes it so of files in one part)
            {"x-amz-checksum-sha256": f"{_sha256(CONTENT)}-3"},
            {"x-amz-checksum-crc32": "AAAAAA==-12"},
            {"x-amz-checksum-crc32c": "AAAAAA=="},
            {"x-amz-checksum-sha256": "nonsense"},
            {"x-amz-checksum-sha256": ""},
            {"x-amz-checksum-sha256": "ä"},
            {"x-goog-hash": "crc32c=AAAAAA=="},
            {"x-goog-hash": f"md5={_md5(CONTENT)}", "x-goog-stored-content-encoding": "gzip"},
            {"content-md5": hashlib.md5(CONTENT).hexdigest()},  # noqa: S324  (some write it in the wrong form)
            {"digest": "md5=AAAA"},
            {"repr-digest": "sha-512=:AAAA:"},
            {"repr-digest": "sha-256"},
        ],
        ids=str,
    )
    def test_what_proves_nothing_is_none(self, headers: dict[str, str]) -> None:
        assert reported(headers) is None

    def test_what_cannot_be_read_leaves_its_place_to_the_next(self) -> None:
        checksum = reported({"x-amz-checksum-sha256": f"{_sha256(CONTENT)}-3", "content-md5": _md5(CONTENT)})
        assert checksum is not None
        assert checksum.name == "MD5"

    def test_what_is_stored_as_it_comes_has_its_checksum(self) -> None:
        headers = {"x-goog-hash": f"md5={_md5(CONTENT)}", "x-goog-stored-content-encoding": "identity"}
        assert reported(headers) is not None


@pytest.fixture
def partial(tmp_path: Path) -> Iterator[PartialDownload]:
    partial = PartialDownload(tmp_path, "a", ".png")
    yield partial
    partial.discard()


def begin(partial: PartialDownload, content: bytes, **headers: str) -> None:
    """A first answer of which `content` comes."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    partial.begin(URL, 200, {"content-length": "10", "etag": '"v1"', **told})
    partial.write(content)


def go_on(partial: PartialDownload, content: bytes, **headers: str) -> None:
    """The rest of the same file."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    place = {"content-range": f"bytes {partial.received}-9/10", "content-length": str(10 - partial.received)}
    partial.begin(URL, 206, {**place, "etag": '"v1"', **told})
    partial.write(content)


class TestPartial:
    def test_other_bytes_of_the_right_length_are_not_complete(self, partial: PartialDownload) -> None:
        begin(partial, b"\x01234567899", x_amz_checksum_sha256=_sha256(CONTENT))
        with pytest.raises(TransferFailed, match=r"^a\.png arrived damaged: SHA-256 checksum mismatch") as caught:
            partial.check_complete()
        assert may_repeat(caught.value)
        assert (partial.received, partial.mismatches) == (0, 1)
        assert "range" not in partial.request_headers()

    def test_a_second_attempt_is_judged_by_itself(self, partial: PartialDownload) -> None:
        begin(partial, b"\x01234567899", content_md5=_md5(CONTENT))
        with pytest.raises(TransferFailed):
            partial.check_complete()
        begin(partial, CONTENT, content_md5=_md5(CONTENT))
        partial.check_complete()
        begin(partial, b"\x01234567899")  # nobody says any more what the bytes are
        partial.check_complete()

    def test_what_was_told_at_the_beginning_holds_after_a_cut(self, partial: PartialDownload) -> None:
        begin(partial, b"\x012345", x_amz_checksum_sha256=_sha256(CONTENT))
        go_on(partial, b"678")
        go_on(partial, b"90", content_md5=_md5(b"others, which would be noticed if they counted"))
        partial.check_complete()
        begin(partial, b"\x012345", x_amz_checksum_sha256=_sha256(CONTENT))
        go_on(partial, b"67899")
        with pytest.raises(TransferFailed, match="SHA-256"):
            partial.check_complete()

    def test_what_is_reported_of_the_rest_holds_for_the_rest(self, partial: PartialDownload) -> None:
        begin(partial, b"\x012345")
        go_on(partial, b"67", content_md5=_md5(b"67890"))
        go_on(partial, b"890")
        partial.check_complete()
        begin(partial, b"\x012345")
        go_on(partial, b"67899", content_md5=_md5(b"67890"))
        with pytest.raises(TransferFailed, match="MD5"):
            partial.check_complete()

    @pytest.mark.parametrize("length", ["3", ""])
    def test_what_is_reported_of_less_than_the_rest_is_not_taken_for_it(
        self, partial: PartialDownload, length: str
    ) -> None:
        begin(partial, b"\x012345")
        go_on(partial, b"678", content_md5=_md5(b"678"), content_length=length)
        go_on(partial, b"90")
        partial.check_complete()

    def test_of_a_file_of_unknown_length_no_answer_is_the_rest(self, partial: PartialDownload) -> None:
        partial.begin(URL, 200, {"transfer-encoding": "chunked", "etag": '"v1"'})
        partial.write(b"\x012345")
        headers = {"content-range": "bytes 5-9/*", "content-length": "5", "content-md5": _md5(b"something else")}
        partial.begin(URL, 206, headers)
        partial.write(b"67890")
        partial.check_complete()

    def test_starting_over_forgets_what_was_told(self, partial: PartialDownload) -> None:
        begin(partial, b"\x012345", content_md5=_md5(b"another version"))
        partial.reset()
        begin(partial, CONTENT)
        partial.check_complete()


@pytest.mark.parametrize(
    ("stored", "sent", "is_reported"),
    [
        ("", "aws-chunked", True),
        ("identity", "none", True),
        ("aws-chunked", "", True),
        ("gzip", "aws-chunked, GZIP", True),
        ("gzip", "", False),
        ("", "gzip", False),
    ],
)
def test_a_name_for_no_encoding_takes_no_checksum_away(stored: str, sent: str, is_reported: bool) -> None:
    headers = {
        "x-goog-hash": f"md5={_md5(CONTENT)}",
        "x-goog-stored-content-encoding": stored,
        "content-encoding": sent,
    }
    assert (reported(headers) is not None) == is_reported
