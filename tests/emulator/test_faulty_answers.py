"""Wrong responses, jobs and files, one by one."""

import base64
import contextlib
import hashlib
import json
import socket
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import pytest

from servers import wait_until

IMAGE = "/v1/ai-image-generator"
TALKING = "/v1/ai-talking-photo"
ITEMS = {"items": [{"type": "image", "extension": "png"}]}


@pytest.fixture
def faults(api):
    return api.emulator.faults


@pytest.fixture
def create(api, image_body):
    return lambda: api.http.post(IMAGE, json=image_body)


# --- answers in place of the service's


@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 429), ("unavailable", 503)])
@pytest.mark.parametrize("wait", [None, 0, 3600])
def test_slowed_with_seconds(api, faults, create, kind, status, wait):
    faults.add(kind, on="create", retry_after=wait)
    answer = create()
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, None if wait is None else str(wait))
    assert set(answer.json()) == {"code", "message"}
    assert create().status_code == 200
    assert len(api.emulator.ledger.creates) == 1


def test_slowed_with_a_date_of_the_machine(api, faults, create):
    api.emulator.clock.advance(10**6)  # clients do not know the emulator's time
    faults.add("unavailable", retry_after=60, date=True)
    wanted = parsedate_to_datetime(create().headers["retry-after"]).timestamp()
    assert 50 < wanted - time.time() < 61


def test_a_rate_limit_says_when_to_come_back(start):
    with start(speed=0.1) as api:
        api.emulator.faults.add("rate_limit", on="get", per_second=3)
        api.emulator.clock.advance(1.25 - api.emulator.clock.now() % 1)
        answers = [api.http.get("/v1/image-projects/x") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [404] * 3 + [429] * 2
    assert answers[-1].headers["retry-after"] == "8"  # three quarters of a second, ten times as slow


def test_a_status_of_the_service(api, faults, create):
    faults.add("status", status=500)
    faults.add("status", status=418, code="teapot", message="Short and stout", nth=2)
    faults.add("status", status=502, on="put")
    assert (create().json()["code"], create().json()) == (
        "internal_server_error",
        {"code": "teapot", "message": "Short and stout"},
    )
    answer = httpx.put(api.slot()["upload_url"], content=b"x")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/xml")
    assert "<Code>Error502</Code>" in answer.text


@pytest.mark.parametrize("status", [502, 503, 504, 520])
def test_a_gateway_answers_with_a_page(faults, create, status):
    faults.add("proxy_error", status=status)
    answer = create()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "retry-after" not in answer.headers
    assert str(status) in answer.text


@pytest.mark.parametrize(("phase", "accepted"), [("before", 0), ("after", 1)])
def test_bodies_that_are_no_answers(api, faults, create, phase, accepted):
    for kind in ("html", "binary", "empty", "malformed_json"):
        faults.add(kind, on="create", phase=phase)
    html, binary, empty, malformed = (create() for _ in range(4))
    assert {answer.status_code for answer in (html, binary, empty, malformed)} == {200}
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert html.text.startswith("<!DOCTYPE html>")
    assert {answer.headers["content-type"] for answer in (binary, empty, malformed)} == {"application/json"}
    with pytest.raises(UnicodeDecodeError):
        binary.content.decode()
    assert empty.content == b""
    with pytest.raises(json.JSONDecodeError):
        malformed.json()
    assert len(api.emulator.ledger.creates) == 4 * accepted
    assert all((job.id in malformed.text) == (job is api.emulator.jobs[-1]) for job in api.emulator.jobs)


# --- the service's answer, changed


def test_a_truncated_answer_is_half_of_it(faults, create):
    whole = create().content
    faults.add("truncated", on="create")
    half = create()
    assert len(half.content) == len(whole) // 2 == int(half.headers["content-length"])


def test_large_and_deep_answers(api, faults, create):
    faults.add("huge_body", on="create", size=3_000_000)
    faults.add("deep_json", on="create", nth=2, depth=5)
    huge, deep = create().json(), create().json()
    assert (len(huge["padding"]), huge["id"]) == (3_000_000, api.emulator.jobs[0].id)
    assert deep["nested"] == [[[[[]]]]]
    faults.add("deep_json", on="create")  # unless told otherwise, too deep for recursion
    with pytest.raises(RecursionError):
        create().json()


def test_no_content_type(faults, create):
    faults.add("no_content_type", on="create")
    answer = create()
    assert "content-type" not in answer.headers
    assert answer.json()["id"]


@pytest.mark.parametrize("field", ["id", "downloads.*.url", "downloads"])
def test_missing_null_and_wrong_fields(api, faults, image_body, field):
    project = api.finish(IMAGE, {**image_body, "image_count": 2})
    for kind, options in (("missing_field", {}), ("null_field", {}), ("wrong_field", {"value": 7})):
        faults.add(kind, on="get", field=field, **options)
    missing, null, wrong = (api.get(project["id"]) for _ in range(3))
    name = field.rpartition(".")[2]
    for before, *after in zip(*map(_places(field), (project, missing, null, wrong)), strict=True):
        assert name in before
        assert name not in after[0]
        assert (after[1][name], after[2][name]) == (None, 7)
        assert {key for each in after for key in each} <= set(before)


def _places(field):
    return lambda project: project["downloads"] if field.startswith("downloads.") else [project]


def test_a_field_that_is_not_there_cannot_go_wrong(api, faults, create):
    faults.add("missing_field", field="nothing.at.all", on="create")
    assert set(create().json()) == {"id", "credits_charged", "frame_cost"}
    assert faults.fired == ()


def test_a_refusal_is_not_changed(api, faults):
    faults.add("missing_field", field="message", on="create")
    faults.add("truncated", on="create", nth=2)
    for _ in range(2):
        assert api.http.post(IMAGE, json={}).json()["code"] == "unprocessable_entity"
    assert faults.fired == ()


def test_new_fields(api, faults, image_body):
    project = api.finish(IMAGE, image_body)
    faults.add("new_fields", on="get")
    changed = api.get(project["id"])
    assert set(changed) - set(project) == {"added_text", "added_list", "added_object"}
    assert "added_text" in changed["downloads"][0]


def test_unknown_status_and_fractional_credits(api, faults, image_body):
    job = api.create(IMAGE, image_body)["id"]
    faults.add("unknown_status", value="hibernating")
    faults.add("fractional_credits", on="get", nth=2)
    assert api.get(job)["status"] == "hibernating"
    changed = api.get(job)
    assert (changed["credits_charged"], changed["total_frame_cost"]) == (5.5, 5.5)
    assert api.emulator.ledger.charged == 5  # the response is wrong, what happened is not


# --- jobs


def test_an_accepted_job_may_fail_be_canceled_or_stuck(api, faults, image_body):
    faults.add("job_error", code="no_source_face", message="No face")
    faults.add("job_canceled", nth=2)
    for nth, status in ((3, "queued"), (4, "rendering"), (5, "draft")):
        faults.add("job_stuck", status=status, nth=nth)
    jobs = [api.create(IMAGE, image_body)["id"] for _ in range(6)]
    api.emulator.clock.advance(10**6)
    projects = [api.get(job) for job in jobs]
    assert [project["status"] for project in projects] == [
        *("error", "canceled", "queued", "rendering", "draft", "complete"),
    ]
    assert projects[0]["error"] == {"code": "no_source_face", "message": "No face"}
    assert [refund.id for refund in api.emulator.ledger.refunds] == [jobs[0]]
    assert [each.fault.kind for each in faults.fired] == ["job_error", "job_canceled"] + ["job_stuck"] * 3


def test_a_refused_create_uses_up_no_fate(api, start, image_body):
    api.emulator.fail_next("no_source_face")
    assert api.http.post(IMAGE, json={}).status_code == 422
    assert api.finish(IMAGE, image_body)["error"]["code"] == "no_source_face"
    with start(credits=4) as poor:
        poor.emulator.fail_next()
        assert poor.http.post(IMAGE, json=image_body).status_code == 402
        assert len(poor.emulator.faults.pending) == 1


def test_a_lost_reply_and_a_failed_job_go_together(api, faults, create):
    faults.add("job_error")
    faults.add("reset", on="create", phase="after")
    with pytest.raises(httpx.ReadError):
        create()
    assert [each.fault.kind for each in faults.fired] == ["job_error", "reset"]
    api.emulator.clock.advance(10)
    assert api.emulator.ledger.refunded == 5


def test_faults_of_one_operation(api, faults, image_body, talking_body):
    faults.add("status", on="v1.ai_talking_photo.create")
    faults.add("status", on="v1.video_projects.get", status=502)
    assert api.http.post(IMAGE, json=image_body).status_code == 200
    assert api.http.post(TALKING, json=talking_body).status_code == 500
    job = api.create(TALKING, talking_body)["id"]
    assert api.http.get(f"/v1/video-projects/{job}").status_code == 502
    assert api.http.get(f"/v1/video-projects/{job}").status_code == 200


# --- storage


def test_expired_urls_answer_as_really_expired_ones(api, faults, output):
    slot = api.slot()
    faults.add("expired_url", times=2)
    told = [httpx.put(slot["upload_url"], content=b"x"), httpx.get(output)]
    api.emulator.clock.advance(10**6)
    true = [httpx.put(slot["upload_url"], content=b"x"), httpx.get(output)]
    assert {answer.status_code for answer in told + true} == {403}
    assert [answer.text for answer in told] == [answer.text for answer in true]
    assert told[0].headers["content-type"] == true[0].headers["content-type"]


@pytest.mark.parametrize(("status", "to"), [(302, "same"), (307, "other")])
def test_redirects_lead_to_the_file(api, faults, output, to, status):
    whole = httpx.get(output).content
    faults.add("redirect", on="download", to=to, status=status)
    answer = httpx.get(output)
    location = answer.headers["location"]
    origin = api.emulator.storage_url if to == "same" else api.emulator.mirror_url
    assert answer.status_code == status
    assert location.startswith(f"{origin}/")
    assert httpx.get(location).content == whole
    assert api.emulator.mirror_url != api.emulator.storage_url


def test_a_redirected_upload_can_be_followed(api, faults):
    slot = api.slot()
    faults.add("redirect", on="put", to="other")
    answer = httpx.put(slot["upload_url"], content=b"all of it", follow_redirects=True)
    assert answer.status_code == 200
    assert api.emulator.uploaded(slot["file_path"]).read_bytes() == b"all of it"


def test_a_redirect_of_the_api_to_another_origin_shows_leaked_keys(api, faults, create):
    faults.add("redirect", on="create", to="other")
    location = create().headers["location"]
    httpx.post(location, headers=api.http.headers)
    leaked = api.emulator.requests[-1]
    assert (leaked.origin, leaked.authorization) == ("storage", "right")


def test_a_range_is_ignored(faults, output):
    whole = httpx.get(output).content
    faults.add("range_ignored")
    assert httpx.get(output).content == whole  # without a range, so it does not count
    answer = httpx.get(output, headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.content) == (200, whole)
    assert "content-range" not in answer.headers
    assert len(faults.fired) == 1


@pytest.mark.parametrize(("asked", "first"), [("bytes=10-", 9), ("bytes=0-", 1)])
def test_another_range_than_the_one_asked_for(faults, output, asked, first):
    whole = httpx.get(output).content
    faults.add("range_wrong")
    answer = httpx.get(output, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, whole[first:])
    assert answer.headers["content-range"] == f"bytes {first}-{len(whole) - 1}/{len(whole)}"


def test_a_range_of_another_total_or_without_a_word_or_short(faults, output):
    whole = httpx.get(output).content
    for nth, how in enumerate(("other_total", "no_header", "short"), 1):
        faults.add("range_wrong", how=how, nth=nth)
    other, silent, short = (httpx.get(output, headers={"Range": "bytes=10-"}) for _ in range(3))
    assert other.headers["content-range"] == f"bytes 10-{len(whole) - 1}/{len(whole) + 1}"
    assert (silent.status_code, "content-range" in silent.headers) == (206, False)
    assert other.content == silent.content == whole[10:]
    assert short.headers["content-range"] == f"bytes 10-{len(whole) - 1}/{len(whole)}"  # although it is half of that
    assert short.content == whole[10:][: (len(whole) - 10) // 2]
    assert short.headers["content-length"] == str(len(short.content))


def test_a_file_that_has_changed(faults, output):
    before = httpx.get(output)
    faults.add("changed_etag", times=None)
    after = httpx.get(output)
    old_tag, new_tag = (answer.headers["etag"] for answer in (before, after))
    assert old_tag != new_tag
    assert len(after.content) == len(before.content)
    assert not any(a == b for a, b in zip(after.content, before.content, strict=True))
    for_old = httpx.get(output, headers={"Range": "bytes=10-", "If-Range": old_tag})
    for_new = httpx.get(output, headers={"Range": "bytes=10-", "If-Range": new_tag})
    assert (for_old.status_code, for_old.content) == (200, after.content)
    assert (for_new.status_code, for_new.content) == (206, after.content[10:])


def test_a_length_that_is_too_long_or_too_short(faults, output):
    whole = httpx.get(output).content
    faults.add("wrong_length", difference=10)
    faults.add("wrong_length", difference=-10, nth=2)
    with pytest.raises(httpx.RemoteProtocolError, match="complete"):
        httpx.get(output)
    short = httpx.get(output)
    assert short.content == whole[:-10]
    assert len(faults.fired) == 2
    assert httpx.get(output).content == whole


def test_a_length_that_is_not_said(faults, output):
    whole = httpx.get(output).content
    faults.add("no_length")
    answer = httpx.get(output)
    assert answer.content == whole
    assert "content-length" not in answer.headers
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("checksum", "algorithm", "prefix"),
    [("x-amz-checksum-sha256", "sha256", ""), ("content-md5", "md5", ""), ("x-goog-hash", "md5", "md5=")],
)
def test_wrong_bytes_beside_the_checksum_of_the_right_ones(faults, output, checksum, algorithm, prefix):
    whole = httpx.get(output).content
    faults.add("wrong_bytes", checksum=checksum)
    faults.add("wrong_bytes", nth=2)
    told, untold = httpx.get(output), httpx.get(output)
    for answer in (told, untold):
        assert len(answer.content) == len(whole)
        assert answer.content != whole
    assert told.headers[checksum] == prefix + base64.b64encode(hashlib.new(algorithm, whole).digest()).decode()
    assert checksum not in untold.headers


# --- what is not a fault


def test_a_client_that_goes_in_the_middle_of_a_request_is_no_crash(api, capfd):
    place = urlsplit(api.emulator.url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        head = f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.emulator.token}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            connection.recv(100)
    wait_until(lambda: [request.status for request in api.emulator.requests] == [400])
    assert capfd.readouterr().err == ""
