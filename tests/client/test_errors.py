"""Refusals: every status its class, every body readable, and no secret in any of them."""

import ast
import copy
import inspect
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import magic_hour_client.errors
import magic_hour_workflows.errors
from client.harness import KEY, PROJECT, Either, create, get
from magic_hour_client import APIError, MagicHourError, NotFound, ServerError, UnprocessableEntity
from magic_hour_client._runtime.errors import retry_after
from magic_hour_client._runtime.redaction import without_secrets
from magic_hour_workflows._results import Job
from magic_hour_workflows.errors import DownloadFailed, ManifestError, Mistake, name_job

CLASSES = {
    **dict.fromkeys((300, 304, 405, 408, 409, 418, 425, 499), "APIError"),
    **dict.fromkeys((500, 502, 503, 520, 599), "ServerError"),
    **{400: "InvalidRequest", 401: "Unauthorized", 402: "PaymentRequired", 403: "Forbidden", 404: "NotFound"},
    **{422: "UnprocessableEntity", 429: "TooManyRequests"},
}


def refusal(either: Either, status: int = 400, content: bytes = b"", work: Any = create, **headers: str) -> APIError:
    with pytest.raises(APIError) as raised:
        either.call(work, lambda _: httpx.Response(status, content=content, headers=headers))
    return raised.value


@pytest.mark.parametrize("status", CLASSES)
def test_every_status_has_its_class(either: Either, status: int) -> None:
    error = refusal(either, status, b'{"message": "No such thing", "code": "a_code"}')
    assert type(error).__name__ == CLASSES[status]
    assert (error.status, error.code, error.reason) == (status, "a_code", "No such thing")
    assert error.operation == "v1.ai_image_generator.create"
    for part in ("v1.ai_image_generator.create", str(status), "a_code", "No such thing"):
        assert part in str(error)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(either: Either, status: int) -> None:
    error = refusal(either, status, Location="https://evil.example/?token=s3cret")
    assert error.status == status
    assert "s3cret" not in str(error)


BODIES: dict[str, tuple[bytes, str | None, str | None]] = {
    "message": (b'{"message": "No"}', None, "No"),
    "message and code": (b'{"message": "No", "code": "c"}', "c", "No"),
    "code alone": (b'{"code": "c"}', "c", None),
    "code a number": (b'{"message": "No", "code": 5}', "5", "No"),
    "code an object": (b'{"message": "No", "code": {}}', None, "No"),
    "nulls": (b'{"message": null, "code": null}', None, None),
    "message not a string": (b'{"message": {"a": 1}}', None, None),
    "message a list": (b'{"message": ["a"]}', None, None),
    "blank message": (b'{"message": "  "}', None, None),
    "lines": (b'{"message": "a\\r\\n\\tb\\u0000\\u001b[31m"}', None, "a b [31m"),
    "lone surrogate": (b'{"message": "a\\ud800b"}', None, "a b"),
    "byte order mark": (b'\xef\xbb\xbf{"message": "No"}', None, "No"),
    "UTF-16": ('{"message": "No"}'.encode("utf-16"), None, "No"),
    "empty": (b"", None, None),
    "empty object": (b"{}", None, None),
    "list": (b'[{"message": "No"}]', None, None),
    "string": (b'"No"', None, None),
    "null": (b"null", None, None),
    "HTML": (b"<html><h1>502 Bad Gateway</h1></html>", None, None),
    "binary": (bytes(range(256)), None, None),
    "Latin-1": ('{"message": "Größe"}'.encode("latin-1"), None, None),
    "truncated": (b'{"message": "No', None, None),
    "deep": (b"[" * 100_000, None, None),
    "digits": (b'{"message": ' + b"9" * 5000 + b"}", None, None),
}


@pytest.mark.parametrize("name", BODIES)
def test_any_body_is_an_error_of_ours(either: Either, name: str) -> None:
    content, code, reason = BODIES[name]
    error = refusal(either, 502, content)
    assert type(error) is ServerError
    assert (error.code, error.reason) == (code, reason)
    assert str(error).startswith("v1.ai_image_generator.create was refused with status 502")
    assert str(error).isprintable()


def test_a_huge_message_is_cut(either: Either) -> None:
    error = refusal(either, 400, b'{"message": "' + b"x" * 1_000_000 + b'"}')
    assert len(str(error)) < 700
    assert str(error).endswith("…")


REMEDIES = {401: "check the API key", 402: "add credits", 403: "plan", 429: "slow down"}


@pytest.mark.parametrize(("status", "remedy"), REMEDIES.items())
def test_the_message_alone_says_what_to_do(either: Either, status: int, remedy: str) -> None:
    assert remedy in str(refusal(either, status))
    assert remedy in str(refusal(either, status, b'{"message": "No"}'))


# --- secrets ------------------------------------------------------------------------------------------------------


def test_a_signed_url_in_a_message_loses_its_query(either: Either) -> None:
    content = b'{"message": "cannot read https://u:s3cret@x.example/a.png?X-Signature=s3cret&b=1#s3cret, sorry"}'
    error = refusal(either, 422, content)
    assert "s3cret" not in str(error) + repr(error) + repr(vars(error))
    assert "x.example/a.png" in str(error)
    assert str(error).endswith("sorry")


def test_a_key_that_the_service_repeats_is_blanked(either: Either) -> None:
    content = f'{{"message": "bad key {KEY}", "code": "{KEY}"}}'.encode()
    error = refusal(either, 401, content)
    assert KEY not in str(error) + repr(error) + repr(vars(error))
    assert KEY.encode() not in pickle.dumps(error)
    assert "bad key [API key]" in str(error)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("", ""),
        ("why? because", "why? because"),
        ("https://x.example/a", "https://x.example/a"),
        ("'https://x.example/a?b=c'.", "'https://x.example/a?…'."),
        ('"https://x.example/?b" <https://y.example/#c>', '"https://x.example/?…" <https://y.example/#…>'),
        ("https://user:pass@x.example/", "https://…x.example/"),
    ],
)
def test_without_secrets(text: str, safe: str) -> None:
    assert without_secrets(text) == safe


# --- Retry-After --------------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


NO_TIMES = ["604801", "999999999999", "1_000", "0x10", "-5", "-inf", "inf", "nan", "1e999", "9" * 5000, "", "soon"]
NO_TIMES += ["5 seconds", "Fri, 02 Jan 2099 03:03:05 GMT", "Fri, 99 Jan 2026 03:03:05 GMT"]
NO_TIMES += ["Fri, 02 Jan 99999 03:03:05 GMT"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("0", 0), ("120", 120), (" 2.5 ", 2.5), ("604800", 604800)),
        *((f"Fri, 02 Jan 2026 {time}", 60) for time in ("03:05:05 GMT", "03:05:05 -0000", "04:05:05 +0100")),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60),
        ("Fri, 02 Jan 2026 03:03:05 GMT", 0),
        *((value, None) for value in NO_TIMES),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_retry_after_reaches_the_error(either: Either) -> None:
    assert refusal(either, 429, **{"Retry-After": "7"}).retry_after == 7
    assert refusal(either, 503, **{"RETRY-AFTER": "garbage"}).retry_after is None
    assert refusal(either, 429).retry_after is None
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    seconds = refusal(either, 429, **{"Retry-After": later}).retry_after
    assert seconds is not None
    assert 3000 < seconds <= 3600


# --- the whole tree -----------------------------------------------------------------------------------------------

ARGUMENTS: dict[str, Any] = {
    "remedy": "put it back",
    "error": DownloadFailed("what happened", final=True),
    "files": [],
    "source": "foxes.csv",
    "mistakes": [Mistake(2, None, "key", "`key`: it is empty")],
    "key": "fox",
    "estimate": 5,
    "needed": 25,
    "balance": 20,
    "why": "OperationalError",
    "used": 480.0,
    "limit": 500.0,
    "unknown": 50.0,
    "place": "jobs.jsonl",
    "problem": "what happened",
    "field": "style.prompt",
    "operation": "v1.ai_image_generator.create",
    "sent": True,
    "status": 429,
    "code": "a_code",
    "reason": "the service's words",
    "retry_after": 2.5,
    "name": "Anna",
    "submitted_at": NOW,
    "job": Job(kind="image", id="cuid-1", credits_charged=5),
    "credits_charged": 5,
    "timeout": 30.0,
    "header": "a-header",
    "what": "is missing",
    "age": 400.0,
    "tolerance": 300.0,
    "final": True,
    "downloaded_paths": [Path("a.png")],
}


def tree(kind: type[MagicHourError] = MagicHourError) -> Iterator[type[MagicHourError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


CLASSES_OF_OURS = sorted(set(tree()), key=lambda kind: kind.__name__)


def made(kind: type[MagicHourError]) -> MagicHourError:
    """An error of this class, with a value for whatever it takes."""
    if kind is MagicHourError:
        return kind("what happened")
    parameters = list(inspect.signature(kind).parameters.values())
    given = {p.name: ARGUMENTS[p.name] for p in parameters if p.kind is p.KEYWORD_ONLY}
    return kind(*(ARGUMENTS[p.name] for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD), **given)


def test_the_tree_is_what_the_modules_export() -> None:
    exported = {
        getattr(module, name)
        for module in (magic_hour_client.errors, magic_hour_workflows.errors)
        for name in module.__all__
        if isinstance(getattr(module, name), type) and issubclass(getattr(module, name), MagicHourError)
    }
    assert set(CLASSES_OF_OURS) == exported


@pytest.mark.parametrize("kind", CLASSES_OF_OURS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_survives_pickling_and_copying(kind: type[MagicHourError], protocol: int) -> None:
    error = made(kind)
    error.project_id = "cuid-1"  # type: ignore[attr-defined]
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(again) is kind
        assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
        assert again.__notes__ == ["a note"]
        assert str(again)


@pytest.mark.parametrize("kind", CLASSES_OF_OURS, ids=lambda kind: kind.__name__)
def test_every_message_is_made_of_problem_and_remedy(kind: type[MagicHourError]) -> None:
    error = made(kind)
    field = getattr(error, "field", None)
    assert error.problem.strip()
    assert error.remedy is None or error.remedy.strip()
    text = error.problem if error.remedy is None else f"{error.problem.rstrip('.')}; {error.remedy}"
    listing = "\n  " + str(error.mistakes[0]) if isinstance(error, ManifestError) else ""
    assert str(error) == error.args[0] == error.describe() == (f"`{field}`: {text}" if field else text) + listing


def test_a_job_is_one_more_remedy() -> None:
    error = UnprocessableEntity("refused", "add credits", operation="v1.image_projects.get", status=422)
    name_job(error, Job(kind="image", id="cuid-1"))
    resume = "resume it with client.v1.image_projects.check_result('cuid-1')"
    assert error.remedy == f"add credits; the image job cuid-1 was accepted; {resume}"
    assert str(pickle.loads(pickle.dumps(error))) == error.args[0] == f"refused; {error.remedy}"  # noqa: S301
    assert error.describe(lambda piece: f"<{type(piece).__name__}>").endswith("was accepted; <Resume>")


def test_no_problem_has_its_remedy_inside() -> None:
    """What is raised passes both as data: no literal of a problem has the separator of the message."""
    root = Path(__file__).parents[2]
    names = {kind.__name__ for kind in CLASSES_OF_OURS}
    files = [*(root / "templates/runtime").glob("*.py"), *(root / "workflows").rglob("*.py")]
    calls = [
        (path.name, node)
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args
    ]
    assert len(calls) > 100
    assert [(name, node.lineno) for name, node in calls if "; " in ast.unparse(node.args[0])] == []


@pytest.mark.parametrize("kind", CLASSES_OF_OURS, ids=lambda kind: kind.__name__)
def test_every_error_is_documented_in_the_tree(kind: type[MagicHourError]) -> None:
    assert kind.__name__ in (magic_hour_workflows.errors.__doc__ or "")
    assert kind.__doc__


def test_get_is_refused_alike(either: Either) -> None:
    error = refusal(either, 404, work=get)
    assert type(error) is NotFound
    assert "v1.image_projects.get" in str(error)
    assert PROJECT["id"] not in error.args[1:]
