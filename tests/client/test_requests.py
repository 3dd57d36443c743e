"""What is sent, and what is refused before anything is sent."""

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter
from typing import Any

import attrs
import httpx
import pytest

from client.harness import CREATED, KEY, PROJECT, Either, Recorder, create, get
from magic_hour_client import UNSET, Client, InvalidArgument, UnknownField, models
from magic_hour_client._runtime import schema
from magic_hour_client._runtime.http_clients import client_options
from magic_hour_client._runtime.schema import INTEGER, NUMBER, STRING, List, Writing, merged
from magic_hour_client.api.v1_image_projects import create_ai_image, get_image_project
from magic_hour_client.api.v1_video_projects import create_ai_talking_photo

TALKING: dict[str, Any] = {
    "assets": {"image_file_path": "a/b.png", "audio_file_path": "a/b.mp3"},
    "start_seconds": 0,
    "end_seconds": 1.5,
}

ITEM = {"type": "image", "extension": "png"}
EDIT: dict[str, Any] = {"assets": {"image_file_paths": ["a/b.png"]}, "style": {"prompt": "x"}}
FOXES: dict[str, Any] = {"image_count": 4, "style": {"prompt": "Füchse 🦊"}, "aspect_ratio": "16:9"}
HEADSHOT: dict[str, Any] = {"assets": {"image_file_path": "a/b.png"}, "name": "Anna"}

CALLS: dict[str, tuple[str, str, Any]] = {
    "files.upload_urls.create": ("POST", "/v1/files/upload-urls", {"items": [ITEM]}),
    "ai_headshot_generator.create": ("POST", "/v1/ai-headshot-generator", HEADSHOT),
    "ai_talking_photo.create": ("POST", "/v1/ai-talking-photo", TALKING),
    "ai_image_generator.create": ("POST", "/v1/ai-image-generator", FOXES),
    "ai_image_editor.create": ("POST", "/v1/ai-image-editor", EDIT),
    "image_projects.get": ("GET", "/v1/image-projects/cuid-1", None),
    "video_projects.get": ("GET", "/v1/video-projects/cuid-1", None),
    "image_projects.delete": ("DELETE", "/v1/image-projects/cuid-1", None),
    "video_projects.delete": ("DELETE", "/v1/video-projects/cuid-1", None),
}


def sent(either: Either, work: Any, answer: Any = None, **options: Any) -> httpx.Request:
    """The one request of a call."""
    recorder = Recorder(answer)
    either.call(work, recorder, **options)
    return recorder.request


def body(either: Either, work: Any, answer: Any = None) -> Any:
    return json.loads(sent(either, work, answer).content)


@pytest.mark.parametrize("name", CALLS)
def test_each_operation_sends_its_method_path_body_and_headers(either: Either, name: str) -> None:
    method, path, body = CALLS[name]
    work = lambda client: attrgetter(name)(client.v1)(**(body or {"id": "cuid-1"}))  # noqa: E731
    request = sent(either, work, {**PROJECT, "items": []})
    assert (request.method, str(request.url)) == (method, f"https://api.example{path}")
    assert (json.loads(request.content) if request.content else None) == body
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("magic_hour_client/")
    assert request.headers.get("content-type") == (None if body is None else "application/json")
    assert request.headers.get("content-length") == (None if body is None else str(len(request.content)))
    assert "cookie" not in request.headers


def test_a_base_url_with_a_path_is_kept(either: Either) -> None:
    request = sent(either, get, PROJECT, base_url="https://proxy.example/magic/hour/")
    assert str(request.url) == "https://proxy.example/magic/hour/v1/image-projects/cuid-1"


def test_the_key_and_cookies_stay_with_the_apis_origin(either: Either) -> None:
    """Neither a redirect nor the settings of the caller's HTTP client move credentials, or send a create again."""
    recorder = Recorder(status=302, headers={"location": "https://evil.example/", "set-cookie": "a=b"})
    http = either.http(recorder, follow_redirects=True, auth=("user", "pass"), cookies={"c": "d"})
    for work in (create, get):
        with pytest.raises(Exception, match="302"):
            either.call(work, http_client=http)
    either.close(http)
    assert len(recorder.requests) == 2
    assert {request.url.host for request in recorder.requests} == {"api.example"}
    assert {request.headers["authorization"] for request in recorder.requests} == {f"Bearer {KEY}"}
    assert not any("cookie" in request.headers for request in recorder.requests)


def test_no_cookie_is_kept() -> None:
    recorder = Recorder(PROJECT, headers={"set-cookie": "session=1"})
    options = client_options(60, fresh=False, secure=True)
    with httpx.Client(**options, transport=httpx.MockTransport(recorder)) as http:
        for _ in range(2):
            http.get("https://api.example/")
        assert not list(http.cookies.jar)
    assert not any("cookie" in request.headers for request in recorder.requests)


# --- dicts and models ---------------------------------------------------------------------------------------------


def test_dicts_models_and_mixtures_give_the_same_json(either: Either) -> None:
    style = models.V1AiTalkingPhotoCreateBodyStyle(generation_mode="prompted", prompt="Smile")
    assets = models.V1AiTalkingPhotoCreateBodyAssets(image_file_path="a/b.png", audio_file_path="a/b.mp3")
    recorder = Recorder()
    for s in (style, style.to_dict()):
        for a in (assets, assets.to_dict()):
            either.call(
                lambda c, a=a, s=s: c.v1.ai_talking_photo.create(assets=a, style=s, start_seconds=0, end_seconds=1),
                recorder,
            )
    bodies = [json.loads(request.content) for request in recorder.requests]
    assert bodies == [bodies[0]] * 4
    assert bodies[0]["style"] == {"generation_mode": "prompted", "prompt": "Smile"}


def test_lists_of_dicts_and_models_mix_and_may_be_tuples(either: Either) -> None:
    items = (ITEM, models.V1FilesUploadUrlsCreateBodyItemsItem(type="audio", extension="mp3"))
    written = body(either, lambda c: c.v1.files.upload_urls.create(items=items), {"items": []})
    assert written["items"] == [ITEM, {"type": "audio", "extension": "mp3"}]


def test_the_callers_dicts_stay_as_they_are(either: Either) -> None:
    style = {"prompt": "x", "tool": None}
    extra = {"style": {"new": [1]}, "later": {}}
    before = json.dumps([style, extra])
    written = body(either, lambda c: create(c, style=style, extra_body=extra))
    assert json.dumps([style, extra]) == before
    assert written == {"image_count": 1, "style": {"prompt": "x", "new": [1]}, "later": {}}


def test_what_is_none_or_unset_is_not_sent(either: Either) -> None:
    written = body(either, lambda c: create(c, name=None, model=UNSET, style={"prompt": "x", "tool": None}))
    assert written == {"image_count": 1, "style": {"prompt": "x"}}


# --- refused before sending ---------------------------------------------------------------------------------------


def refused(either: Either, work: Any, error: type[Exception] = InvalidArgument) -> Any:
    recorder = Recorder()
    with pytest.raises(error) as raised:
        either.call(work, recorder)
    assert recorder.requests == []
    return raised.value


def test_a_misspelt_argument_is_a_type_error(either: Either) -> None:
    error = refused(either, lambda c: create(c, aspect_ration="16:9"), TypeError)
    assert "aspect_ration" in str(error)


@pytest.mark.parametrize(
    ("style", "field", "hint"),
    [
        ({"promt": "x"}, "style.promt", "did you mean `style.prompt`?"),
        ({"prompt": "x", "qualitymode": "pro"}, "style.qualitymode", "did you mean `style.quality_mode`?"),
        ({"prompt": "x", "zzz": 1}, "style.zzz", "known are prompt, quality_mode, tool"),
        ({"prompt": "x", 5: 1}, "style.5", "known are"),
    ],
)
def test_a_misspelt_nested_key_is_an_unknown_field_with_a_hint(
    either: Either, style: Any, field: str, hint: str
) -> None:
    error = refused(either, lambda c: create(c, style=style), UnknownField)
    assert isinstance(error, (InvalidArgument, TypeError))
    assert error.field == field
    assert hint in str(error)
    assert "extra_body" in str(error)


def test_a_misspelt_key_in_a_list_names_its_place(either: Either) -> None:
    items = [ITEM, {"type": "image", "extention": "png"}]
    error = refused(either, lambda c: c.v1.files.upload_urls.create(items=items), UnknownField)
    assert error.field == "items[1].extention"


@pytest.mark.parametrize(
    ("style", "field"), [({}, "style.prompt"), ({"prompt": None}, "style.prompt"), (None, "style")]
)
def test_what_is_required_must_be_there(either: Either, style: Any, field: str) -> None:
    error = refused(either, lambda c: create(c, style=style))
    assert error.field == field
    assert "required" in str(error)


class Opaque:
    pass


NAN, INFINITY = float("nan"), float("inf")
WRONG = [
    *(("image_count", value) for value in ("1", True, 1.5, NAN, INFINITY, [1], b"1")),
    *(("name", value) for value in (1, b"Anna", ["Anna"], Opaque())),
    *(("style", value) for value in ("A red fox", [("prompt", "x")], models.V1AiHeadshotGeneratorCreateBodyStyle())),
    *(("style.prompt", value) for value in (5, {})),
    *(("extra_body", value) for value in ([1], "x")),
    ("extra_headers", [("a", "b")]),
    *(("timeout", value) for value in ("5", True, 0, -1, NAN, INFINITY)),
]


@pytest.mark.parametrize(
    ("field", "value"), WRONG, ids=lambda value: value if isinstance(value, str) else type(value).__name__
)
def test_a_wrong_type_is_refused_and_named(either: Either, field: str, value: Any) -> None:
    outer, _, inner = field.partition(".")
    error = refused(either, lambda c: create(c, **{outer: {inner: value} if inner else value}))
    assert isinstance(error, ValueError)
    assert error.field == field
    assert f"`{field}`" in str(error)


@pytest.mark.parametrize("items", ["png", b"png", {"type": "image"}, {"a"}, 5, iter([])])
def test_only_a_sequence_is_a_list(either: Either, items: Any) -> None:
    assert refused(either, lambda c: c.v1.files.upload_urls.create(items=items)).field == "items"


@pytest.mark.parametrize(
    "value", ["1", True, b"1", bytearray(b"1"), [], float("nan"), float("-inf"), Fraction(10**400)]
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument) as raised:
        create_ai_talking_photo.request(**{**TALKING, "end_seconds": value})
    assert raised.value.field == "end_seconds"


@pytest.mark.parametrize(("value", "sent"), [(2, 2), (2.5, 2.5), (Decimal("2.5"), 2.5), (Fraction(1, 2), 0.5)])
def test_any_finite_number_is_a_number(value: Any, sent: float) -> None:
    assert create_ai_talking_photo.request(**{**TALKING, "end_seconds": value}).body["end_seconds"] == sent


def test_a_float_without_fraction_is_a_whole_number(either: Either) -> None:
    assert b'"image_count":4,' in sent(either, lambda c: create(c, image_count=4.0)).content


def test_kinds_this_contract_does_not_use_are_strict_too() -> None:
    """Another contract (`generate.py --spec`) may use them."""
    writing = Writing()
    for kind, good, wrong in [
        (schema.BOOLEAN, True, 1),
        (schema.NULL, None, 0),
        (schema.DATE, date(2026, 1, 2), 5),
        (schema.DATETIME, "2026-01-02T03:04:05Z", date(2026, 1, 2)),
        (schema.UUID_STRING, "0b1e", 5),
        (INTEGER, 5, None),
        (NUMBER, 5, None),
    ]:
        kind.write(good, "x", writing)
        with pytest.raises(InvalidArgument, match="`x`: expected"):
            kind.write(wrong, "x", writing)


@pytest.mark.parametrize(
    ("kind", "value", "refusal"),
    [
        (INTEGER.within(least=1, most=16), 17, "must be from 1 to 16, got 17"),
        (INTEGER.within(least=1, most=16), 0, "must be from 1 to 16, got 0"),
        (INTEGER.within(most=16), 10**5000, "must be at most 16, got a number with more digits than can be shown"),
        (NUMBER.within(least=0.1), 0.05, "must be at least 0.1, got 0.05"),
        (NUMBER.within(most=2000), 2000.5, "must be at most 2,000, got 2,000.5"),
        (NUMBER.within(above=0, below=1), 1, "must be more than 0 and less than 1, got 1"),
        (NUMBER.within(above=0, below=1), 0, "must be more than 0 and less than 1, got 0"),
        (STRING.within(least=1), "", "must not be empty; give at least 1 character"),
        (STRING.within(least=2, most=3), "x", "must have 2 to 3 characters, got 1"),
        (STRING.within(most=15000), "x" * 15001, "must have at most 15,000 characters, got 15,001"),
        (List(STRING).within(least=1, most=2), [], "must not be empty; give 1 to 2 items"),
        (List(STRING).within(least=1, most=2), ["a"] * 3, "must have 1 to 2 items, got 3"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 70 else "",
)  # fmt: skip
def test_bounds_of_the_contract_are_kept(kind: Any, value: Any, refusal: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        kind.write(value, "x", Writing())
    assert (str(caught.value), caught.value.field) == (f"`x`: {refusal}", "x")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (INTEGER.within(least=1, most=16), 1),
        (INTEGER.within(least=1, most=16), 16),
        (NUMBER.within(above=0, below=1), 0.5),
        (STRING.within(least=1, most=3), "abc"),
        (List(STRING).within(least=1, most=2), ["a", "b"]),
    ],
)
def test_what_is_within_bounds_is_sent(kind: Any, value: Any) -> None:
    assert kind.write(value, "x", Writing()) == value
    assert kind.read(value, "x") == value
    assert INTEGER.within(most=16).read(99, "x") == 99  # a service that grew is still understood


def test_extra_body_goes_around_bounds(either: Either) -> None:
    with pytest.raises(InvalidArgument, match="must be from 1 to 16, got 99"):
        either.call(lambda client: create(client, image_count=99), Recorder())
    call = create_ai_image.request(image_count=1, style={"prompt": "a"}, extra_body={"image_count": 99})
    assert call.body["image_count"] == 99


# --- ids ----------------------------------------------------------------------------------------------------------

NO_ID = ["", " ", "a b", "a\n", "\n", "a/b", "../x", "..", ".", "a?b", "a#b", "a%2Fb", "a\\b"]
NO_ID += ["a\x00", "a\x7f", "a\u2028", "\ud800"]


@pytest.mark.parametrize("id", [*NO_ID, None, 5, True, b"abc", ["abc"], Opaque()])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_what_cannot_be_an_id_is_refused(either: Either, method: str, id: Any) -> None:
    error = refused(either, lambda c: getattr(c.v1.video_projects, method)(id))
    assert error.field == "id"


@pytest.mark.parametrize(("id", "path"), [("ü+&=:@", "%C3%BC%2B%26%3D%3A%40"), ("a..b", "a..b"), ("{id}", "%7Bid%7D")])
def test_other_characters_of_an_id_are_escaped(either: Either, id: str, path: str) -> None:
    assert sent(either, lambda c: get(c, id), PROJECT).url.raw_path == f"/v1/image-projects/{path}".encode()


# --- extra_body, extra_headers, timeout ---------------------------------------------------------------------------


def test_extra_body_goes_over_the_fields_object_by_object(either: Either) -> None:
    extra = {"image_count": 2, "style": {"tool": "x", "deep": {"a": {"b": None}}}, "list": [1, {"c": 2}]}
    assert body(either, lambda c: create(c, extra_body=extra)) == {
        **extra,
        "style": {"prompt": "A red fox", **extra["style"]},
    }


def test_merging_changes_neither_side() -> None:
    body, extra = {"a": {"b": 1}}, {"a": {"c": 2}, "d": 3}
    assert merged(body, extra) == {"a": {"b": 1, "c": 2}, "d": 3}
    assert (body, extra) == ({"a": {"b": 1}}, {"a": {"c": 2}, "d": 3})


@pytest.mark.parametrize(
    "value", [b"x", {1}, Opaque(), float("nan"), "\ud800", models.V1AiHeadshotGeneratorCreateBodyStyle()]
)
def test_extra_body_that_is_no_json_is_refused(either: Either, value: Any) -> None:
    error = refused(either, lambda c: create(c, extra_body={"new": value}))
    assert "JSON" in str(error)


def test_a_circular_extra_body_is_refused(either: Either) -> None:
    circular: dict[str, Any] = {}
    circular["style"] = circular
    assert "JSON" in str(refused(either, lambda c: create(c, extra_body=circular)))


def test_extra_headers_are_sent(either: Either) -> None:
    headers = sent(either, lambda c: create(c, extra_headers={"X-Trace": "abc", "User-Agent": "mine/1"})).headers
    assert (headers["x-trace"], headers.get_list("user-agent")) == ("abc", ["mine/1"])
    assert headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "headers",
    [
        *({"Authorization": "Bearer other"}, {"authorization": "x"}, {"HOST": "evil.example"}, {"Content-Length": "0"}),
        *({"Transfer-Encoding": "chunked"}, {"Connection": "close"}),
        *({"X": value} for value in ("a\nb", "a\r\nAuthorization: b", "ä", 5, None, b"a")),
        *({name: "a"} for name in ("X Y", "X:", "X\n", "", 5, None)),
    ],
)
def test_headers_of_the_clients_own_and_broken_ones_are_refused(either: Either, headers: Any) -> None:
    assert refused(either, lambda c: create(c, extra_headers=headers)).field == "extra_headers"


def test_a_call_may_have_a_timeout_of_its_own(either: Either) -> None:
    recorder = Recorder(PROJECT)
    either.calls(get, lambda c: get(c, timeout=7), handler=recorder, request_timeout=30)
    assert [request.extensions["timeout"]["read"] for request in recorder.requests] == [30, 7]


def test_send_takes_any_operation(either: Either) -> None:
    operation = create_ai_talking_photo.request(**TALKING)
    recorder = Recorder()
    created = either.call(lambda c: c.send(operation, timeout=5, extra_headers={"x-a": "b"}), recorder)
    assert created.id == CREATED["id"]
    assert (recorder.request.url.path, recorder.request.headers["x-a"]) == ("/v1/ai-talking-photo", "b")


def test_a_call_is_data_that_shows_neither_body_nor_headers() -> None:
    operation = create_ai_talking_photo.request(**TALKING)
    assert operation.name == "v1.ai_talking_photo.create"
    assert "b.mp3" not in repr(operation)
    assert KEY not in repr(Client(KEY))


@pytest.mark.parametrize("id", ["a" * 501, "a" * 100_000, "ü" * 100_000])
@pytest.mark.parametrize("resource", ["image_projects", "video_projects"])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_id_that_is_too_long_is_named_and_not_shown(either: Either, id: str, resource: str, method: str) -> None:
    error = refused(either, lambda client: attrgetter(f"{resource}.{method}")(client.v1)(id))
    assert error.field == "id"
    assert f"`id`: an id of {len(id)} characters is too long" in str(error)
    assert len(str(error)) < 200


def test_parameters_that_make_an_address_too_long_are_refused(either: Either) -> None:
    recorder = Recorder(PROJECT)
    operation = attrs.evolve(get_image_project.request("cuid-1"), query=[("a", "b" * 100_000)])
    with pytest.raises(InvalidArgument, match="its parameters make a URL that is too long"):
        either.call(lambda client: client.send(operation), recorder)
