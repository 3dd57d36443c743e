"""Malicious bodies: endless, deeply nested, or with invalid numbers. They get a clean 4xx and cost no memory."""

import json
import socket
from urllib.parse import urlsplit

import pytest
from referencing import Registry

from magic_hour_emulator._request_checks import MAX_BODY_BYTES
from magic_hour_emulator._schema_checks import BodyCheck
from servers import LIMIT_SECONDS

IMAGE = "/v1/ai-image-generator"
ANY = ["/v1/ai-image-generator", "/v1/files/upload-urls", "/_emulator/clock", "/_emulator/fail-next"]
ANY += ["/_emulator/faults", "/_emulator/jobs/JOB"]
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{not json", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"image_count": NaN}'),
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"times": Infinity}',
        b'{"advance": -Infinity}',
        b'{"times": NaN}',
        b'{"times": 1e999, "advance": 1e999, "image_count": 1e999}',
        b'{"times": %s}' % (b"9" * 30),
        b'{"times": %s}' % (b"9" * 5000),
        b'{"message": "\\ud800", "name": "\\udfff"}',
    ],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_no_plain_json_is_refused(api, image_body, content):
    job = api.create(IMAGE, image_body)["id"]
    for path in ANY if content else [IMAGE]:  # controls work without a body
        headers = {"Content-Type": "application/json"}
        refused = api.http.post(path.replace("JOB", job), content=content, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request"), path
    assert api.http.get("/_emulator/ledger").status_code == 200


REFUSED = {
    "clock": [{"advance": 1e300}, {"advance": [1]}, {"advance": -1}, {"advance": "soon"}],
    "fail-next": [{"times": 1.5}, {"times": "2"}, {"resource": []}, {"resource": "ai-nothing"}],
    "jobs/JOB": [{"status": []}, {"status": "gone"}],
    "faults": [*({}, {"self": 1}, {"kind": []}, {"kind": "reset", "fault": "x"}), *({"kind": "reset", "on": []},
     {"kind": "reset", "on": ["get"]}, {"kind": "reset", "seed": {}}), {"kind": "reset", "probability": "x"},
     {"kind": "huge_body", "size": 10**12}, {"kind": "deep_json", "depth": 10**12}, {"kind": "rate_limited",
     "retry_after": 10**15, "date": True}, {"kind": "delay", "seconds": 1e300}],
}  # fmt: skip


@pytest.mark.parametrize(("path", "body"), [(path, body) for path in REFUSED for body in REFUSED[path]], ids=str)
def test_controls_refuse_values_that_could_not_be_carried_out(api, image_body, path, body):
    path = path.replace("JOB", api.create(IMAGE, image_body)["id"])
    refused = api.http.post(f"/_emulator/{path}", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "unprocessable_entity")
    assert api.http.post(IMAGE, json=image_body).status_code == 200


@pytest.mark.parametrize("number", [10**19, 1e300, -1e300])
def test_numbers_out_of_all_bounds_are_refused_by_the_schema(api, talking_body, number):
    for field in ("start_seconds", "end_seconds"):
        assert api.http.post("/v1/ai-talking-photo", json={**talking_body, field: number}).status_code == 422


ORDER = {"start": {"x-before": {"field": "end", "at_least": 1, "at_most": 3}}, "end": {}}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"start": 1, "end": 2}, None),
        ({"start": 1.2, "end": 2.2}, None),  # as floats, more than one apart
        ({"end": 3}, None),
        ({"start": 1}, None),
        ({"start": 1, "end": False}, None),  # what is wrong with it, `type` says
        ({"start": 1, "end": 1}, "end must be after start, by at least 1, by at most 3"),
        ({"start": 1, "end": 1.5}, "end must be after start, by at least 1, by at most 3"),
        ({"end": 3.5}, "end must be after start, by at least 1, by at most 3"),
    ],
)
def test_numbers_in_order(body, problem):
    assert BodyCheck({"properties": ORDER}, Registry()).problem(body) == problem
    if problem:
        short = BodyCheck({"properties": {"start": {"x-before": "end"}}}, Registry()).problem({"start": 2, "end": 1})
        assert short == "end must be after start"


@pytest.mark.parametrize(
    "url", ["https://youtu.be/x?t=1#a", "http://[::1]:80/%20", "youtube", "", "https:", "https://a b", "a:ü"]
)
def test_addresses(url):
    problem = BodyCheck({"properties": {"url": {"format": "uri"}}}, Registry()).problem({"url": url})
    assert problem == (None if url.startswith("http") and " " not in url and url != "https:" else "url must be a uri")


@pytest.mark.parametrize("number", [1e300, 10**40, -1e300])
def test_steps_of_a_number_with_more_digits_than_decimals_have(number):
    assert "in steps of" in BodyCheck({"multipleOf": 0.01}, Registry()).problem(number)


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(api):
    with _connect(api) as connection:
        connection.sendall(_head(api, f"Content-Length: {300 * MEGABYTE}"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("delayed", [False, True])
def test_an_endless_body_is_refused_when_it_has_become_too_large(api, delayed):
    """Also with a fault that delays the request, which reads its body first."""
    if delayed:
        api.emulator.faults.add("delay", on="create", seconds=0)
    with _connect(api) as connection:
        connection.sendall(_head(api, "Transfer-Encoding: chunked"))
        chunk = b"100000\r\n" + b" " * MEGABYTE + b"\r\n"
        for _ in range(MAX_BODY_BYTES // MEGABYTE + 1):
            connection.sendall(chunk)
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert api.emulator.requests[-1].received < 2 * MAX_BODY_BYTES


def test_the_largest_body_that_is_accepted(api, image_body):
    content = json.dumps(image_body).encode()
    headers = {"Content-Type": "application/json"}
    assert api.http.post(IMAGE, content=content.ljust(MAX_BODY_BYTES), headers=headers).status_code == 200
    assert api.http.post(IMAGE, content=content.ljust(MAX_BODY_BYTES + 1), headers=headers).status_code == 413


def test_headers_without_end_are_refused(api):
    with _connect(api) as connection:
        connection.sendall(b"GET /v1/x HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 4")
    assert api.http.get("/_emulator/health").status_code == 200


def _connect(api):
    place = urlsplit(api.emulator.url)
    return socket.create_connection((place.hostname, place.port), timeout=LIMIT_SECONDS)


def _head(api, header):
    lines = [f"POST {IMAGE} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {api.emulator.token}"]
    return "\r\n".join([*lines, "Content-Type: application/json", header, "", ""]).encode()
