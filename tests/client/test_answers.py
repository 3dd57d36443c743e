"""What comes back: tolerant of what the service may change, strict only about what an answer is useless without."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, reduce
from typing import Any

import httpx
import pytest

from client.harness import CREATED, KEY, PROJECT, Either, Handler, Recorder, create, get
from magic_hour_client import APIError, InvalidArgument, TooManyRequests, UnexpectedResponse, models
from magic_hour_client._runtime import bodies

VIDEO = {
    **{key: value for key, value in PROJECT.items() if key != "image_count"},
    "type": "TALKING_PHOTO",
    "width": -1,
    "height": -1,
    "start_seconds": 0,
    "end_seconds": 1.5,
    "fps": 25.5,
    "download": None,
}


def project(either: Either, answer: Any) -> Any:
    return either.call(get, Recorder(answer))


def unexpected(either: Either, content: bytes, work: Any = create, status: int = 200) -> UnexpectedResponse:
    with pytest.raises(UnexpectedResponse) as raised:
        either.call(work, lambda _: httpx.Response(status, content=content))
    assert raised.value.status == status
    assert raised.value.operation in str(raised.value)
    return raised.value


def test_unknown_fields_survive_at_every_level_and_round_trip(either: Either) -> None:
    answer = {**PROJECT, "new": {"a": [1]}, "downloads": [{**PROJECT["downloads"][0], "size": 7}]}
    read = project(either, answer)
    assert read.additional_properties == {"new": {"a": [1]}}
    assert read.downloads[0].additional_properties == {"size": 7}
    written = read.to_dict()
    assert read == models.V1ImageProjectsGetResponse.from_dict(written)
    for moment in (written["downloads"][0], answer["downloads"][0]):
        moment["expires_at"] = datetime.fromisoformat(moment["expires_at"])
    assert written["created_at"] == "2026-01-02T03:04:05.678000+00:00"
    assert {**written, "created_at": None} == {**answer, "created_at": None}
    json.dumps(read.to_dict())


def test_a_status_of_next_year_is_a_status(either: Either) -> None:
    assert project(either, {**PROJECT, "status": "polishing"}).status == "polishing"


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        (create, {"id": "cuid-1", "credits_charged": 5}),
        (get, PROJECT),
        (lambda c: c.v1.video_projects.get("cuid-1"), VIDEO),
    ],
)
def test_any_field_but_the_essential_ones_may_be_missing_or_null(either: Either, work: Any, answer: Any) -> None:
    for name in answer.keys() - {"id"}:
        nothing = [] if name == "downloads" else None
        without = {key: value for key, value in answer.items() if key != name}
        for changed in (without, {**answer, name: None}):
            read = either.call(work, Recorder(changed))
            assert getattr(read, name) == nothing
            repr(read)


def test_credits_and_other_numbers_may_have_a_fraction(either: Either) -> None:
    assert either.call(create, Recorder({"id": "x", "credits_charged": 4.5})).credits_charged == 4.5
    assert project(either, {**PROJECT, "credits_charged": 0.25, "total_frame_cost": 0.25}).total_frame_cost == 0.25


def test_dates_are_datetimes_that_know_their_zone(either: Either) -> None:
    read = project(either, PROJECT)
    assert read.created_at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert read.created_at.tzinfo is not None
    assert read.downloads[0].expires_at.utcoffset() == timedelta(hours=2)
    assert project(either, {**PROJECT, "created_at": "2026-01-02T03:04:05"}).created_at.tzinfo is UTC


@pytest.mark.parametrize("moment", ["", "yesterday", 1767323045, {"a": 1}, [], True, "2026-13-01T00:00:00Z"])
def test_an_unreadable_date_is_none(either: Either, moment: Any) -> None:
    assert project(either, {**PROJECT, "created_at": moment}).created_at is None


def test_urls_that_are_secrets_are_not_in_any_repr(either: Either) -> None:
    read = project(either, PROJECT)
    assert read.downloads[0].url.endswith("s3cret")
    assert "s3cret" not in repr(read)
    assert "https://images.example/a.png" in repr(read)
    place = {"upload_url": "https://up.example/a?sig=s3cret", "file_path": "a/b.png", "expires_at": None}
    places = either.call(
        lambda c: c.v1.files.upload_urls.create(items=[{"type": "image", "extension": "png"}]),
        Recorder({"items": [place]}),
    )
    assert "s3cret" not in repr(places)


@pytest.mark.parametrize("url", [None, 5, ["x"]])
def test_a_repr_never_fails(url: Any) -> None:
    repr(models.ProjectDownload(url=url, expires_at=None))  # type: ignore[arg-type]


@pytest.mark.parametrize("token", [KEY, 'mhk_live_a"b\\c/d'], ids=["plain", "with what JSON escapes"])
@pytest.mark.parametrize("slash", ["/", r"\/"])
def test_the_key_is_blanked_in_an_answer_that_succeeds(either: Either, token: str, slash: str) -> None:
    """The words of a job that failed end up in messages and logs."""
    error = {"message": f"no credits left for {token}.", "code": "unknown_error"}
    content = json.dumps({**PROJECT, "name": token, "error": error}).replace("/", slash)
    read = either.call(get, lambda request: httpx.Response(200, content=content), token=token)
    assert read.error.message == "no credits left for [API key]."
    assert read.name == "[API key]"
    assert token not in repr(read) + json.dumps(read.to_dict())


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "numbers": lambda body: body.replace(KEY.encode(), b"".join(b"\\u%04x" % byte for byte in KEY.encode())),
    "numbers in capitals": lambda body: body.replace(
        KEY.encode(), b"".join(b"\\u%04X" % byte for byte in KEY.encode())
    ),
    "one number": lambda body: body.replace(b"mhk_", b"mhk\\u005f"),
    "behind a backslash": lambda body: body.replace(KEY.encode(), b"\\\\" + KEY.encode()),
    "a number behind a backslash": lambda body: body.replace(b"mhk_", b"\\\\\\u006dhk_"),
    "UTF-16": lambda body: body.decode().encode("utf-16"),
    "UTF-32": lambda body: body.decode().encode("utf-32-be"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_key_is_blanked_however_it_is_spelled(either: Either, spelling: str) -> None:
    content = SPELLINGS[spelling](json.dumps({**PROJECT, "name": KEY}).encode())
    name = either.call(get, lambda request: httpx.Response(200, content=content)).name
    assert name == ("\\[API key]" if "backslash" in spelling else "[API key]")
    refusal = SPELLINGS[spelling](json.dumps({"message": f"bad key {KEY}"}).encode())
    with pytest.raises(APIError, match=r"bad key .?\[API key\]"):
        either.call(get, lambda request: httpx.Response(401, content=refusal))


def test_what_only_looks_like_the_key_stays_as_it_is(either: Either) -> None:
    """`\\\\u006d` is a backslash and five letters."""
    content = json.dumps({**PROJECT, "name": KEY.replace("m", "\\u006d", 1)}).encode()
    assert either.call(get, lambda request: httpx.Response(200, content=content)).name == KEY.replace("m", "\\u006d", 1)


def test_a_short_key_is_a_word_like_any_other_in_an_answer_that_succeeds(either: Either) -> None:
    """A made-up key, as tests have them, must not change what jobs are called."""
    assert either.call(get, Recorder({**PROJECT, "name": "a test"}), token="test").name == "a test"


@pytest.mark.parametrize("id", ["missing", None, ""])
def test_a_create_without_an_id_is_unexpected(either: Either, id: Any) -> None:
    answer = {"credits_charged": 5} if id == "missing" else {"id": id, "credits_charged": 5}
    assert "id" in str(unexpected(either, json.dumps(answer).encode()))


NO_ANSWERS = {
    "nothing": b"",
    "blank": b" \n",
    "HTML": b"<html><body>Please sign in to the hotel's network</body></html>",
    "binary": bytes(range(256)),
    "truncated": json.dumps(CREATED).encode()[:-5],
    "list": b"[]",
    "list of objects": json.dumps([CREATED]).encode(),
    "string": b'"ok"',
    "null": b"null",
    "number": b"5",
    "true": b"true",
    "deep": b"[" * 100_000,
    "deep and closed": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "number of many digits": b'{"id": ' + b"9" * 5000 + b"}",
    "two documents": b'{"id": "a"} {"id": "b"}',
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_a_success_that_is_no_such_answer_is_unexpected(either: Either, name: str) -> None:
    unexpected(either, NO_ANSWERS[name])
    if name == "nothing":
        unexpected(either, b"", status=204)


@pytest.mark.parametrize(("downloads", "error"), [({}, "boom"), ("x", ["boom"]), (5, 5)])
def test_a_list_that_cannot_be_read_is_empty_and_an_object_is_none(either: Either, downloads: Any, error: Any) -> None:
    read = project(either, {**PROJECT, "status": "error", "downloads": downloads, "error": error})
    assert (read.downloads, read.error) == ([], None)


def delete(client: Any) -> Any:
    return client.v1.image_projects.delete("cuid-1")


@pytest.mark.parametrize(("status", "content"), [(204, b""), (200, b""), (200, b"{}"), (202, b' {"id": "cuid-1"}\n')])
def test_a_delete_gives_none(either: Either, status: int, content: bytes) -> None:
    assert either.call(delete, lambda request: httpx.Response(status, content=content)) is None


@pytest.mark.parametrize("name", ["HTML", "binary", "truncated", "deep"])
def test_a_delete_that_is_answered_with_something_elses_page_is_unexpected(either: Either, name: str) -> None:
    """A captive portal answers everything with 200, and has deleted nothing."""
    unexpected(either, NO_ANSWERS[name], delete)


@pytest.mark.parametrize("status", [201, 202, 299])
def test_another_success_is_read_the_same_way(either: Either, status: int) -> None:
    assert either.call(create, Recorder(status=status)).id == "cuid-1"


# --- compressed answers -------------------------------------------------------------------------------------------

MIB = 1024 * 1024
Packing = Callable[[bytes], bytes]


def layered(content: bytes, layers: int) -> bytes:
    return reduce(lambda last, _: gzip.compress(last), range(layers), content)


@cache
def spaces(mebibytes: int, layers: int) -> bytes:
    """Packed once for all tests: that takes longer than unpacking as much as is taken."""
    return layered(b" " * (mebibytes * MIB), layers)


def bare(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def packed(encodings: str, content: bytes, status: int = 200) -> Handler:
    """An answer as a server sends it: nobody has read or unpacked it yet."""
    headers = {"content-encoding": encodings}
    return lambda request: httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


PACKED: dict[str, tuple[str, Packing]] = {
    "gzip": ("gzip", gzip.compress),
    "the old name, in capitals": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without its header": ("deflate", bare),
    "twice": ("deflate, gzip", lambda content: gzip.compress(zlib.compress(content))),
    "not at all": ("identity", lambda content: content),
    "nothing said": (" ,", lambda content: content),
}


def test_nothing_compressed_is_asked_for(either: Either) -> None:
    recorder = Recorder()
    either.call(create, recorder)
    assert recorder.request.headers["accept-encoding"] == "identity"
    with pytest.raises(InvalidArgument, match="Accept-Encoding"):
        either.call(lambda client: create(client, extra_headers={"Accept-Encoding": "br"}), recorder)


@pytest.mark.parametrize("name", PACKED)
def test_a_compressed_answer_is_read_all_the_same(either: Either, name: str) -> None:
    """A proxy that compresses unasked must not make a job that was paid for unknown."""
    encodings, pack = PACKED[name]
    assert either.call(create, packed(encodings, pack(json.dumps(CREATED).encode()))).id == "cuid-1"


def test_the_key_is_blanked_in_a_compressed_answer_too(either: Either) -> None:
    content = gzip.compress(json.dumps({**PROJECT, "name": KEY}).encode())
    assert either.call(get, packed("gzip", content)).name == "[API key]"


UNPACKABLE: dict[str, tuple[str, Packing]] = {
    "another": ("br", lambda content: content),
    "another within": ("gzip, zstd", gzip.compress),
    "no gzip": ("gzip", lambda content: content),
    "no deflate": ("deflate", lambda content: b"\xff" + content),
    "once too few": ("gzip, gzip", gzip.compress),
    "too often": ("gzip, gzip, gzip, gzip", lambda content: layered(content, 4)),
}


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize("name", UNPACKABLE)
def test_what_cannot_be_unpacked_is_unexpected_and_a_refusal_is_one_by_its_status(
    either: Either, name: str, status: int
) -> None:
    encodings, pack = UNPACKABLE[name]
    with pytest.raises(UnexpectedResponse if status == 200 else TooManyRequests) as raised:
        either.call(create, packed(encodings, pack(json.dumps(CREATED).encode()), status))
    assert raised.value.status == status


def test_nothing_is_nothing_however_it_is_packed(either: Either) -> None:
    assert either.call(delete, packed("gzip, br", b"", 204)) is None


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(("layers", "room"), [(1, 3), (2, 3), (3, 4)])
def test_an_answer_unpacks_to_no_more_than_the_largest_that_is_taken(
    either: Either, monkeypatch: pytest.MonkeyPatch, layers: int, room: int, status: int
) -> None:
    """A few kilobytes that would be 64 MiB; memory is counted, so the bound holds while unpacking too."""
    monkeypatch.setattr(bodies, "MAX_ANSWER_BYTES", MIB)
    content = spaces(64, layers)
    tracemalloc.start()
    try:
        with pytest.raises(UnexpectedResponse, match=f"larger than {MIB} bytes"):
            either.call(create, packed(", ".join(["gzip"] * layers), content, status))
        assert tracemalloc.get_traced_memory()[1] < room * MIB
    finally:
        tracemalloc.stop()


def test_an_answer_that_a_hook_has_read_is_taken_as_it_was_read(either: Either) -> None:
    """People log answers in hooks of their HTTP client; httpx has unpacked such an answer, once is enough."""

    handler = packed("gzip", gzip.compress(json.dumps(CREATED).encode()))
    http = either.http(
        handler, event_hooks={"response": [httpx.Response.aread if either.is_async else httpx.Response.read]}
    )
    assert either.call(create, http_client=http).id == "cuid-1"
    either.close(http)
