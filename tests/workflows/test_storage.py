"""Both clients against a storage that answers to the byte: what is an output is saved, and what is none costs no other.

Each refused answer stands beside a good one. The job is paid for once, whatever storage says of it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fakes import names_in
from magic_hour_workflows._flows import call
from magic_hour_workflows.errors import DownloadFailed
from storages import Answer, RawService, raw_service
from worlds import World


def picture(format: str) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(file, format)
    return file.getvalue()


PNG = picture("PNG")
GZIP = gzip.compress(PNG)


def sha256(content: bytes) -> str:
    return f"x-amz-checksum-sha256: {base64.b64encode(hashlib.sha256(content).digest()).decode()}"


def content_md5(content: bytes) -> str:
    return f"Content-MD5: {base64.b64encode(hashlib.md5(content).digest()).decode()}"  # noqa: S324  (the storages' choice)


@pytest.fixture
def service() -> Iterator[RawService]:
    with raw_service() as service:
        yield service


def generate(world: World, service: RawService, folder: Path) -> Any:
    return world.call(
        lambda client: client.v1.ai_image_generator.generate(
            image_count=1, style={"prompt": "a"}, download_directory=folder
        ),
        **service.options,
    )


def encoded(content: bytes, encoding: str, *more: str) -> Answer:
    return Answer(content, [f"Content-Encoding: {encoding}", *more])


SAVED: dict[str, tuple[Answer, str]] = {
    **{encoding or "nothing": (encoded(PNG, encoding), "png") for encoding in ("", "none", "identity", "aws-chunked")},
    "gzip": (encoded(GZIP, "gzip"), "png"),
    "aws-chunked and gzip": (encoded(GZIP, "aws-chunked, gzip"), "png"),
    "gzip by its name only": (encoded(PNG, "gzip"), "png"),
    "deflate": (encoded(zlib.compress(PNG), "deflate"), "png"),
    "checksum of the packed bytes": (encoded(GZIP, "gzip", sha256(GZIP)), "png"),
    "checksum of the unpacked bytes": (encoded(GZIP, "gzip", sha256(PNG)), "png"),
    "MD5 of the unpacked bytes": (encoded(GZIP, "gzip", content_md5(PNG)), "png"),  # compressed on the way here
    "chunks": (
        Answer(b"%x\r\n%b\r\n0\r\n\r\n" % (len(PNG), PNG), ["Transfer-Encoding: chunked"], has_length=False),
        "png",
    ),
    "JPEG by its type": (Answer(picture("JPEG"), ["Content-Type: image/jpeg"]), "jpg"),
    "JPEG by its bytes": (Answer(picture("JPEG")), "jpg"),
    "WebP by its bytes": (Answer(picture("WEBP"), ["Content-Type: binary/octet-stream"]), "webp"),
    "GIF by its bytes": (Answer(picture("GIF"), ["Content-Type: image/png"]), "gif"),
}


@pytest.mark.parametrize("case", SAVED)
def test_what_is_saved(world: World, service: RawService, tmp_path: Path, case: str) -> None:
    answer, suffix = SAVED[case]
    service.outputs = [answer]
    result = generate(world, service, tmp_path)
    assert names_in(tmp_path) == [path.name for path in result.downloaded_paths] == [f"job-1-1.{suffix}"]
    with Image.open(result.downloaded_paths[0]) as saved:
        saved.verify()
    assert (service.creates, service.fetched) == (1, [0])


REFUSED: dict[str, tuple[Any, str]] = {
    "no entry": (None, "invalid URL"),
    "no URL": ({"url": None}, "invalid URL"),
    "half a host": ({"url": "http://[bad"}, "invalid URL"),
    "no such port": ({"url": "http://127.0.0.1:99999/a.png"}, "invalid URL"),
    "a host that NFKC changes": ({"url": "https://a\uff0fb/c"}, "invalid URL"),
    "half a character": ({"url": "https://storage.example/\ud800"}, "invalid URL"),
    "a redirect to no URL": (Answer(b"", ["Location: http://[bad"], status="302 Found"), "invalid URL"),
    "Brotli": (encoded(PNG, "br"), r"not asked for \(br\)"),
    "no length": (Answer(PNG, has_length=False), "how long"),
    "JSON": (Answer(b'{"error": 1}', ["Content-Type: application/json"]), "instead of a media file"),
    "XML called a picture": (Answer(b"<Error/>", ["Content-Type: image/png"]), "instead of a media file"),
    "gzip that was cut": (encoded(GZIP[:-20], "gzip"), "ends early"),
    "a checksum of neither": (encoded(GZIP, "gzip", sha256(b"")), "SHA-256 checksum mismatch"),
    "an MD5 of neither": (encoded(GZIP, "gzip", content_md5(b"")), "MD5 checksum mismatch"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_costs_no_other(
    world: World, service: RawService, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "STALLED_SECONDS", 0)  # what may be another answer next time is not asked for here
    bad, words = REFUSED[case]
    service.outputs = [Answer(PNG), bad, Answer(PNG)]
    with pytest.raises(DownloadFailed, match=rf"\(2 of 3\): output 2: .*{words}") as caught:
        generate(world, service, tmp_path)
    assert names_in(tmp_path) == ["job-1-1.png", "job-1-3.png"]
    assert [path.name for path in caught.value.downloaded_paths] == names_in(tmp_path)
    assert (service.creates, caught.value.project_id) == (1, "job-1")
    assert "canary" not in str(caught.value)
    assert "[bad" not in str(caught.value)


def test_a_url_that_becomes_usable_is_used(world: World, service: RawService, tmp_path: Path) -> None:
    service.outputs = [Answer(PNG), {"url": "http://[bad"}]
    service.fresh = [{"url": "http://[bad"}, Answer(PNG)]
    assert len(generate(world, service, tmp_path).downloaded_paths) == 2
