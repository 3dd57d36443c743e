"""What the first bytes of a file say."""

from __future__ import annotations

import gzip
import io
import wave
import zipfile
from collections.abc import Callable

import av
import pytest
from PIL import Image

from magic_hour_workflows._media import FIRST_BYTES, Media, is_text, sniff


def picture(format: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, format)
    return file.getvalue()


def video(container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as made:
        stream = made.add_stream(codec, rate=10, width=64, height=64, pix_fmt="yuv420p")
        made.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 64), "red"))))
        made.mux(stream.encode())
    return file.getvalue()


def sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setparams((1, 2, 8000, 0, "NONE", "none"))
        made.writeframes(bytes(8000))
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a.png", picture("PNG"))
    return file.getvalue()


MADE: dict[str, Callable[[], bytes]] = {
    "png": lambda: picture("PNG"),
    "jpg": lambda: picture("JPEG"),
    "webp": lambda: picture("WEBP"),
    "gif": lambda: picture("GIF"),
    "avif": lambda: picture("AVIF"),
    "tiff": lambda: picture("TIFF"),
    "bmp": lambda: picture("BMP"),
    "jp2": lambda: picture("JPEG2000"),
    "mp4": lambda: video("mp4", "mpeg4"),
    "mov": lambda: video("mov", "mpeg4"),
    "webm": lambda: video("webm", "libvpx"),
    "wav": sound,
    "mp3": lambda: b"ID3\x04\x00\x00\x00\x00\x00\x23TSSE" + bytes(100),
    "m4a": lambda: b"\x00\x00\x00\x1cftypM4A \x00\x00\x02\x00M4A isomiso2" + bytes(100),
    "flac": lambda: b"fLaC\x00\x00\x00\x22\x12\x00" + bytes(100),
    "zip": archive,
}
ROLES = {
    ("image",): {"png", "jpg", "webp", "gif", "avif", "tiff", "bmp", "jp2"},
    ("video", "audio"): {"mp4", "webm"},
    ("video",): {"mov"},
    ("audio",): {"wav", "mp3", "m4a", "flac"},
    (): {"zip"},
}


@pytest.mark.parametrize("extension", MADE)
def test_real_files_are_told_by_their_first_bytes(extension: str) -> None:
    content = MADE[extension]()
    [roles] = [roles for roles, extensions in ROLES.items() if extension in extensions]
    assert sniff(content) == sniff(content[:FIRST_BYTES]) == Media(extension, roles)


@pytest.mark.parametrize(
    "text",
    [
        b'{"message": "no"}',
        b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b"\xef\xbb\xbf<html xmlns='http://www.w3.org/1999/xhtml'/>",
        "Zugriff verweigert".encode("utf-16"),
        b"BMW is a name, and the first two letters of a bitmap",
        b"ID3 is the beginning of a sound, and of a sentence",
        b"",
        b"\x1b[31mred\x1b[0m\r\n",
        "é".encode() * FIRST_BYTES,  # of an odd length: cut within a character
    ],
)
def test_text_is_no_media(text: bytes) -> None:
    assert is_text(text)
    assert sniff(text) is None


@pytest.mark.parametrize(("content", "found"), [(bytes(100), None), (gzip.compress(b"a", mtime=0), Media("gz", ()))])
def test_what_is_binary_and_no_media(content: bytes, found: Media | None) -> None:
    assert not is_text(content)
    assert sniff(content) == found
