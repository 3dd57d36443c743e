"""`unwrap` accepts what the service signed, and nothing else; and it reads whatever that is."""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from magic_hour_client import models
from magic_hour_client.events import EVENTS
from magic_hour_workflows import errors
from magic_hour_workflows.webhooks import UnknownProject, sign, unwrap
from magic_hour_workflows.webhooks import _signatures as signatures
from webhook_events import SECRET, event_body

BODY = event_body()
NOW = 1_800_000_000.0
SIGNATURE = sign(BODY, SECRET, NOW)[signatures.SIGNATURE]


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


def test_the_signature_is_the_one_of_the_contract() -> None:
    expected = hmac.new(SECRET.encode(), b"1800000000." + BODY, hashlib.sha256).hexdigest()
    headers = {"magic-hour-event-timestamp": "1800000000", "magic-hour-event-signature": expected}
    assert sign(BODY, SECRET) == sign(BODY, SECRET, NOW) == headers


@pytest.mark.parametrize(
    "shape",
    [
        dict,
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: [(name.title().encode(), value.encode()) for name, value in headers.items()],
        lambda headers: iter([("content-type", "application/json"), *headers.items()]),
    ],
)
def test_headers_of_any_framework(shape: Callable[[Any], Any]) -> None:
    event = unwrap(BODY, shape(sign(BODY, SECRET)), SECRET)
    assert (event.type, event.kind, event.id, event.name) == ("image.completed", "image", "job-1", "name of job-1")
    assert event.sent_at.timestamp() == NOW


@pytest.mark.parametrize("type", EVENTS)
def test_each_type_of_the_contract_has_its_payload(type: str) -> None:
    body = event_body(type)
    event = unwrap(bytearray(body), sign(body, SECRET), SECRET)
    assert event.kind == type.partition(".")[0]
    assert isinstance(event.payload, getattr(models, EVENTS[type].payload))
    assert event.ends_job == (not type.endswith(".started"))


def test_what_is_new_is_read_as_far_as_it_is_known() -> None:
    def event(**content: Any) -> Any:
        body = json.dumps(content).encode()
        return unwrap(body, sign(body, SECRET), SECRET)

    canceled = event(type="video.canceled", payload={"id": "a", "status": "canceled", "new": [1]}, also="new")
    assert isinstance(canceled.payload, models.V1VideoProjectsGetResponse)
    assert (canceled.kind, canceled.ends_job) == ("video", True)
    assert canceled.payload.additional_properties == {"new": [1]}
    assert not event(type="video.paused", payload={"id": "a", "status": "paused"}).ends_job
    scent = event(type="scent.completed", payload={"id": "a", "status": "complete", "smell": "rose"})
    assert scent.payload == UnknownProject.from_dict({"id": "a", "status": "complete", "smell": "rose"})
    assert (scent.kind, scent.id, scent.ends_job) == (None, "a", False)
    for odd in ({"payload": None}, {"payload": [1]}, {}, {"payload": {"id": 7, "downloads": {}, "status": []}}):
        assert event(type="", **odd).id is None


@pytest.mark.parametrize("payload", [None, True, 7, -1.5, "", "a", [], {}, [[1]], {"id": {}}, "\ud800", 10**400])
def test_no_payload_raises(payload: Any) -> None:
    for type in ("image.completed", "scent.completed", "a"):
        body = json.dumps(
            {"type": type, "payload": {"id": payload, "status": payload, "downloads": [payload]}}
        ).encode()
        event = unwrap(body, sign(body, SECRET, time.time()), SECRET)
        assert (event.type, event.id) == (type, payload if isinstance(payload, str) and payload else None)


@pytest.mark.parametrize("secrets", [(SECRET, "whsec_new"), ("whsec_new", SECRET)])
def test_two_secrets_while_one_replaces_the_other(secrets: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(ours: bytes, received: bytes) -> bool:
        compared.append(received)
        return ours == received

    monkeypatch.setattr(hmac, "compare_digest", compare)
    unwrap(BODY, sign(BODY, SECRET), *secrets)
    assert len(compared) == 2, "each secret is compared, whichever fits"


def forged(**changes: str | None) -> dict[str, str]:
    headers = sign(BODY, SECRET, NOW) | {f"magic-hour-event-{name}": value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}


REFUSED: list[Any] = [
    (BODY, forged(signature=None), errors.WebhookHeaderMissing),
    (BODY, forged(timestamp=None), errors.WebhookHeaderMissing),
    (BODY, forged(timestamp="soon"), errors.WebhookHeaderMissing),
    (BODY, forged(timestamp="-1"), errors.WebhookHeaderMissing),
    (BODY, forged(timestamp="1" * 400), errors.WebhookHeaderMissing),
    (BODY, forged(timestamp="١٨٠٠٠٠٠٠٠٠"), errors.WebhookHeaderMissing),
    (BODY, [*sign(BODY, SECRET, NOW).items()] * 2, errors.WebhookHeaderMissing),
    (BODY, sign(BODY, SECRET, NOW - 301), errors.WebhookExpired),
    (BODY, sign(BODY, SECRET, NOW + 301), errors.WebhookExpired),
    (BODY, sign(BODY, "whsec_other", NOW), errors.WebhookSignatureMismatch),
    (BODY + b" ", sign(BODY, SECRET, NOW), errors.WebhookSignatureMismatch),
    (BODY, forged(timestamp=str(int(NOW) - 1)), errors.WebhookSignatureMismatch),
    (
        BODY,
        forged(signature=sign(BODY, SECRET, NOW)["magic-hour-event-signature"].upper()),
        errors.WebhookSignatureMismatch,
    ),
    (
        BODY,
        forged(signature=sign(BODY, SECRET, NOW)["magic-hour-event-signature"][:-1]),
        errors.WebhookSignatureMismatch,
    ),
    (BODY, forged(signature="é\udc80"), errors.WebhookSignatureMismatch),
    *[
        (body, sign(body, SECRET, NOW), errors.WebhookUnreadable)
        for body in (b"", b"\xff", b"[]", b"{}", b'{"type": 1}', b'{"type": "image.completed"}', b"[" * 100_000)
    ],
]


@pytest.mark.parametrize(("body", "headers", "error"), REFUSED)
def test_what_is_not_the_services_is_refused(body: bytes, headers: Any, error: type[errors.WebhookRefused]) -> None:
    with pytest.raises(error) as caught:
        unwrap(body, headers, SECRET)
    assert type(pickle.loads(pickle.dumps(caught.value))) is error  # noqa: S301  (our own)
    assert caught.value.status == (400 if error is errors.WebhookUnreadable else 401)
    text = f"{caught.value!r} {caught.value} {caught.value.args}"
    signature = dict(headers).get("magic-hour-event-signature", SECRET)
    assert SECRET not in text
    assert signature not in text


def test_the_tolerance_is_three_hundred_seconds_or_what_the_caller_says() -> None:
    for age in (-300, 300):
        assert unwrap(BODY, sign(BODY, SECRET, NOW - age), SECRET).id
    with pytest.raises(errors.WebhookExpired) as caught:
        unwrap(BODY, sign(BODY, SECRET, NOW - 11), SECRET, tolerance=10)
    assert (caught.value.age, caught.value.tolerance) == (11, 10)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("body", lambda: unwrap({"type": "a"}, {}, SECRET)),  # type: ignore[arg-type]
        ("body", lambda: unwrap(BODY.decode(), {}, SECRET)),  # type: ignore[arg-type]
        ("headers", lambda: unwrap(BODY, None, SECRET)),  # type: ignore[arg-type]
        ("headers", lambda: unwrap(BODY, ["abc"], SECRET)),  # type: ignore[list-item]
        ("secrets", lambda: unwrap(BODY, {})),
        ("secrets", lambda: unwrap(BODY, {}, "")),
        ("secrets", lambda: unwrap(BODY, {}, SECRET + "\n")),
        ("secrets", lambda: unwrap(BODY, {}, [SECRET])),  # type: ignore[arg-type]
        ("secrets", lambda: sign(BODY, "")),
        ("tolerance", lambda: unwrap(BODY, {}, SECRET, tolerance=0)),
    ],
)
def test_wrong_arguments_say_what_to_do(field: str, call: Callable[[], object]) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        call()
    assert (caught.value.field, bool(caught.value.remedy or field == "tolerance")) == (field, True)
    assert SECRET not in str(caught.value)


def test_the_names_of_the_headers_are_those_of_the_contract() -> None:
    shared = yaml.safe_load((Path(__file__).resolve().parents[2] / "spec" / "shared.yaml").read_text(encoding="utf-8"))
    parameters = shared["components"]["parameters"].values()
    assert {signatures.TIMESTAMP, signatures.SIGNATURE} == {
        each["name"] for each in parameters if each["in"] == "header"
    }
