"""What comes back: tolerant of what the service may change, strict only about what an answer is useless without."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from client.harness import CREATED, PROJECT, Either, Recorder, abandons_body, create, get
from magic_hour_client import UnexpectedResponse, models, transport

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
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=content, headers={"content-type": "application/json"})

    with pytest.raises(UnexpectedResponse) as raised:
        either.call(work, answer)
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


def test_an_answer_is_given_as_it_came_even_with_the_key_in_it(either: Either) -> None:
    """A short made-up key, as tests have them, must not change what jobs are called."""
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


@pytest.mark.parametrize("downloads", [{}, "x", 5, [None], ["x"], [{"url": None}], [{}]])
def test_a_list_that_cannot_be_read_is_empty(either: Either, downloads: Any) -> None:
    assert project(either, {**PROJECT, "downloads": downloads}).downloads == []


@pytest.mark.parametrize("error", ["boom", ["boom"], 5])
def test_an_object_that_cannot_be_read_is_none(either: Either, error: Any) -> None:
    assert project(either, {**PROJECT, "status": "error", "error": error}).error is None


def test_a_create_that_answers_204_is_unexpected(either: Either) -> None:
    unexpected(either, b"", status=204)


@pytest.mark.parametrize(("status", "content"), [(204, b""), (200, b""), (200, b"{}"), (202, b"<html>")])
def test_a_delete_gives_none_whatever_the_body(either: Either, status: int, content: bytes) -> None:
    deleted = either.call(
        lambda c: c.v1.image_projects.delete("cuid-1"), lambda request: httpx.Response(status, content=content)
    )
    assert deleted is None


@pytest.mark.parametrize("status", [201, 202, 299])
def test_another_success_is_read_the_same_way(either: Either, status: int) -> None:
    assert either.call(create, Recorder(status=status)).id == "cuid-1"


class Long(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body of a megabyte that counts what is taken of it."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False

    def __iter__(self) -> Any:
        for _ in range(1000):
            self.taken += 1000
            yield b" " * 1000

    async def __aiter__(self) -> Any:
        for chunk in self:
            yield chunk

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


@abandons_body
def test_an_answer_larger_than_the_bound_is_not_read_to_its_end(
    either: Either, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 10_000)
    body = Long()
    with pytest.raises(UnexpectedResponse, match="larger than 10000 bytes"):
        either.call(create, lambda request: httpx.Response(200, stream=body))
    assert body.taken <= 12_000
    assert body.closed
