"""What can be looked at: jobs with their timelines, requests with their bodies, files, kinds, and the event stream."""

import json
import socket
import threading
from typing import Any

import httpx
import pytest

from magic_hour_emulator import _recorder
from magic_hour_emulator._bodies import BLANKED, MAX_BYTES, Body, blank, blanked
from magic_hour_emulator._events import LATEST_JOBS, LATEST_REQUESTS, Changes
from magic_hour_emulator.faults import KINDS
from servers import wait_until

IMAGE = "/v1/ai-image-generator"
STATE = ["start", "jobs", "requests", "deliveries", "ledger", "clock", "faults"]
KEY = "mhk_secret_1"


def look(api: Any, path: str, **query: Any) -> Any:
    return httpx.get(f"{api.emulator.url}/_emulator/{path}", params=query).raise_for_status().json()


def control(api: Any, path: str, body: Any) -> httpx.Response:
    return httpx.post(f"{api.emulator.url}/_emulator/{path}", json=body)


# --- jobs and requests


def test_a_timeline_has_everything_about_a_job(api, talking_body, plain_picture):
    picture = api.upload(plain_picture("red"))
    api.slot()  # for another job
    api.emulator.faults.add("job_error", on="create")
    body = {**talking_body, "assets": {**talking_body["assets"], "image_file_path": picture}}
    job_id = api.create("/v1/ai-talking-photo", body)["id"]
    api.get(job_id, "video")
    api.emulator.clock.advance(60)
    api.get(job_id, "video")
    job = look(api, f"jobs/{job_id}")
    seen = [(entry["what"], entry.get("step") or entry.get("credits")) for entry in job["timeline"]]
    steps = ["upload-urls", "put", "create"]
    assert seen == [
        *(("request", step) for step in steps), ("charge", 96), ("request", "get"), ("request", "get"), ("refund", 96),
    ]  # fmt: skip
    assert (job["inputs"], job["status"], job["error"]["code"]) == ([picture], "error", "unknown_error")
    assert job["body"]["assets"]["image_file_path"] == picture


def test_downloads_are_part_of_a_timeline(api, image_body):
    project = api.finish(IMAGE, image_body)
    httpx.get(project["downloads"][0]["url"])
    timeline = look(api, f"jobs/{project['id']}")["timeline"]
    assert [entry.get("step") for entry in timeline] == ["create", None, "get", "download"]


def test_deliveries_are_told_and_part_of_a_timeline(api, image_body):
    """To a port where nobody listens: an attempt with a problem is one too."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        target = f"http://127.0.0.1:{closed.getsockname()[1]}/hook?token=1"
    changes = Changes(api.emulator.service)
    assert dict(changes.take())["deliveries"] == {"added": [], "total": 0}
    api.emulator.add_webhook(target, "secret")
    project = api.finish(IMAGE, image_body)
    wait_until(lambda: api.emulator.deliveries)
    api.emulator.remove_webhook()
    attempt, *_ = dict(changes.take())["deliveries"]["added"]
    assert (attempt["job_id"], attempt["status"], attempt["url"]) == (project["id"], None, target.partition("?")[0])
    timeline = look(api, f"jobs/{project['id']}")["timeline"]
    assert next(entry["type"] for entry in timeline if entry["what"] == "delivery") == "image.started"


def test_pages_of_jobs(api, image_body):
    ids = [api.create(IMAGE, image_body)["id"] for _ in range(3)]
    first = look(api, "jobs", limit=2)
    assert [job["id"] for job in first["jobs"]] == ids[:0:-1]
    assert (first["total"], first["more"], first["statuses"]) == (3, True, {"queued": 3})
    last = look(api, "jobs", before=ids[1])
    assert [job["id"] for job in last["jobs"]] == ids[:1]
    assert not last["more"]
    assert look(api, "jobs", before="none")["jobs"] == []
    for limit in ("0", "501", "x"):
        refused = httpx.get(f"{api.emulator.url}/_emulator/jobs", params={"limit": limit})
        assert (refused.status_code, refused.json()["code"]) == (422, "unprocessable_entity")
    for path in ("jobs/none", "requests/99", "uploads/none", "jobs/none/outputs/0", f"jobs/{ids[0]}/outputs/0"):
        assert httpx.get(f"{api.emulator.url}/_emulator/{path}").status_code == 404, path


def test_bodies_are_shown_without_secrets(api, image_body):
    slot = api.slot()
    url = api.finish(IMAGE, image_body)["downloads"][0]["url"]
    body = {**image_body, "name": api.emulator.token, "style": {"prompt": f"see {url} and {slot['upload_url']}"}}
    headers = {"Referer": url, "Cookie": "session=1", "X-Mine": "yes"}
    job_id = api.http.post(IMAGE, json=body, headers=headers).json()["id"]
    count = len(api.emulator.requests)
    shown = [look(api, f"requests/{number}") for number in range(count)]
    events = Changes(api.emulator.service).take()
    text = json.dumps([shown, look(api, f"jobs/{job_id}"), look(api, "jobs"), look(api, "storage"), events])
    for secret in (
        api.emulator.token,
        "signature=",
        "session=1",
        *(each.split("signature=")[1] for each in (url, slot["upload_url"])),
    ):
        assert secret not in text
    assert shown[0]["request_body"]["json"] == {"items": [{"type": "image", "extension": "png"}]}
    assert shown[0]["response_body"]["json"]["items"][0]["file_path"] == slot["file_path"]
    last = shown[-1]
    assert last["headers"]["x-mine"] == "yes"
    assert (last["headers"]["authorization"], last["headers"]["cookie"]) == ("<right>", BLANKED)
    assert last["headers"]["referer"].endswith(f"/output.png?{BLANKED}")
    assert last["response_body"]["json"]["id"] == job_id
    assert last["step"] == "create"


def test_bodies_of_media_and_of_old_requests_are_not_kept(api, image_body, monkeypatch):
    monkeypatch.setattr(_recorder, "_BODIES", 3)
    url = api.finish(IMAGE, image_body)["downloads"][0]["url"]
    httpx.get(url)
    picture = look(api, f"requests/{len(api.emulator.requests) - 1}")["response_body"]
    assert (picture["type"], set(picture)) == ("image/png", {"bytes", "type"})
    assert picture["bytes"] > 1000
    assert look(api, "requests/0")["response_body"] is not None
    for _ in range(3):
        api.http.head("/v1/image-projects/none")
    assert look(api, "requests/0")["response_body"] is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://a.example/x.png?X-Amz-Signature=1&b=2 now", f"see https://a.example/x.png?{BLANKED} now"),
        ('{"url": "http:\\/\\/a\\/x\\u003fsignature=1', f'{{"url": "http:\\/\\/a\\/x?{BLANKED}'),
        ("HTTPS://a/x?b#c", f"HTTPS://a/x?{BLANKED}"),
        ("/x.png?expires=1&signature=abc", f"/x.png?expires=1&signature={BLANKED}"),
        ("Authorization: Bearer mhk_other", f"Authorization: Bearer {BLANKED}"),
        (f"it is {KEY}.", f"it is {BLANKED}."),
        ("what? https://a.example/x", "what? https://a.example/x"),
        ("\ud800", "?"),
    ],
)
def test_secrets_in_texts(text, shown):
    assert blank(text, KEY) == shown
    assert blanked({text: [text, 1, None]}, KEY) == {shown: [shown, 1, None]}


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b'{"a"', b": 1}"], {"bytes": 8, "json": {"a": 1}}),
        ([b'{"a": NaN}'], {"bytes": 10, "text": '{"a": NaN}'}),
        ([b'{"key": "' + KEY.encode()], {"bytes": 21, "text": f'{{"key": "{BLANKED}'}),
        ([b"[" * 1000], {"bytes": 1000, "text": "[" * 1000}),
        ([b"[" * 200 + b"]" * 200], {"bytes": 400, "text": "[" * 200 + "]" * 200}),
        ([b"a" * MAX_BYTES, b"b"], {"bytes": MAX_BYTES + 1, "text": "a" * MAX_BYTES}),
        ([], {"bytes": 0}),
    ],
)
def test_what_is_shown_of_a_body(chunks, expected):
    body = Body("application/json")
    for chunk in chunks:
        body.add(chunk)
    assert body.as_json(KEY) == {"type": "application/json", **expected}


# --- files, kinds, clock


def test_files_in_storage(api, image_body, plain_picture):
    picture = plain_picture("red")
    file_path = api.upload(picture)
    job_id = api.finish(IMAGE, {**image_body, "image_count": 2})["id"]
    output = httpx.get(f"{api.emulator.url}/_emulator/jobs/{job_id}/outputs/1")
    assert (output.headers["content-type"], output.content[:4]) == ("image/png", b"\x89PNG")
    storage = look(api, "storage")
    assert [(each["file_path"], each["bytes"]) for each in storage["uploads"]] == [(file_path, len(picture))]
    assert [(each["job"], each["index"]) for each in storage["outputs"]] == [(job_id, 1)]
    sums = {"uploads": 1, "upload_bytes": len(picture), "outputs": 1, "output_bytes": len(output.content)}
    assert storage["sums"] == sums
    api.emulator.clock.advance(8 * 24 * 3600)
    assert look(api, "storage")["uploads"] == []


@pytest.mark.parametrize(
    ("extension", "type"),
    [("png", "image/png"), ("mp3", "audio/mpeg"), ("svg", None), ("html", None), ("js", None), ("xml", None)],
)
def test_bytes_of_users_are_never_run(api, extension, type):
    """They have the origin of the page, so a browser must not take them for anything but media."""
    file_path = api.emulator.service.uploads.issue("image", extension)
    file = api.emulator.service.uploads.new_file()
    file.write_bytes(b"<script>alert(1)</script>")
    api.emulator.service.uploads.store(file_path, file)
    served = httpx.get(f"{api.emulator.url}/_emulator/uploads/{file_path}")
    assert served.headers["content-type"] == (type or "application/octet-stream")
    assert served.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in served.headers["content-security-policy"]


def test_the_kinds_are_data(api):
    data = look(api, "kinds")
    assert [kind["name"] for kind in data["kinds"]] == list(KINDS)
    by_name = {kind["name"]: kind for kind in data["kinds"]}
    (status,) = by_name["job_stuck"]["parameters"]
    expected = {"name": "status", "required": False, "default": "queued", "choices": ["draft", "queued", "rendering"]}
    assert status == expected
    assert by_name["missing_field"]["parameters"][0]["required"]
    assert data["operations"]["v1.ai_image_generator.create"] == "create"


def test_the_clock_can_be_set(api):
    clock = api.emulator.clock
    before = look(api, "clock")
    assert (before["speed"], before["frozen"]) == (1, True)
    assert control(api, "clock", {"speed": 1000, "frozen": False, "advance": 5}).json()["now"] >= before["now"] + 5
    wait_until(lambda: clock.now() > before["now"] + 6)
    stopped = control(api, "clock", {"frozen": True}).json()["now"]
    assert clock.now() == stopped
    for wrong in ({"speed": 0}, {"speed": "2"}, {"speed": 1e7}, {"speed": True}, {"frozen": "yes"}, {"frozen": 1}):
        assert control(api, "clock", wrong).status_code == 422, wrong
    assert (clock.speed, clock.frozen, clock.now()) == (1000, True, stopped)
    api.emulator.reset()
    assert (clock.speed, clock.frozen) == (1, True)


# --- the event stream


def test_each_change_is_told_once(api, image_body):
    changes = Changes(api.emulator.service)
    assert [name for name, _ in changes.take()] == STATE
    assert changes.take() == []
    job_id = api.create(IMAGE, image_body)["id"]
    wait_until(lambda: api.emulator.requests[0].seconds is not None)
    events = dict(changes.take())
    assert list(events) == ["jobs", "requests", "ledger"]
    assert [(job["id"], job["status"]) for job in events["jobs"]["changed"]] == [(job_id, "queued")]
    assert [(each["number"], each["status"], each["step"]) for each in events["requests"]["changed"]] == [
        (0, 200, "create")
    ]
    api.emulator.clock.advance(60)
    events = dict(changes.take())
    assert list(events) == ["jobs", "clock"]
    assert events["jobs"]["changed"][0]["status"] == "complete"
    api.emulator.faults.add("delay", on="put")
    assert [name for name, _ in changes.take()] == ["faults"]
    api.http.delete(f"/v1/image-projects/{job_id}")
    assert dict(changes.take())["jobs"] == {"changed": [], "deleted": [job_id], "total": 0}
    api.emulator.reset()
    assert [name for name, _ in changes.take()] == STATE


def test_a_new_viewer_gets_the_latest_only(api, image_body):
    for _ in range(LATEST_REQUESTS + 1):
        api.create(IMAGE, image_body)
    events = dict(Changes(api.emulator.service).take())
    assert (len(events["jobs"]["changed"]), events["jobs"]["total"]) == (LATEST_JOBS, LATEST_REQUESTS + 1)
    assert events["jobs"]["changed"][-1]["id"] == api.emulator.jobs[-1].id
    assert (len(events["requests"]["changed"]), events["requests"]["total"]) == (LATEST_REQUESTS, LATEST_REQUESTS + 1)


def test_streams_hold_no_thread_and_end_with_the_emulator(start):
    """They end properly, not by a connection that breaks; and what nobody watches is forgotten."""
    with httpx.Client(timeout=60) as client, start() as api:
        viewers, url = api.emulator.service.viewers, f"{api.emulator.url}/_emulator/events"
        with client.stream("GET", url) as one:
            assert one.headers["content-type"].startswith("text/event-stream")
            threads = threading.active_count()
            with client.stream("GET", url) as other:
                wait_until(lambda: len(viewers) == 2)
                assert next(other.iter_lines()) == "retry: 1000"
                assert threading.active_count() == threads
            wait_until(lambda: len(viewers) == 1)
            lines = one.iter_lines()
            assert "event: start" in (next(lines) for _ in range(3))
            stopper = threading.Thread(target=api.emulator.__exit__, args=(None, None, None))
            stopper.start()
            assert [line for line in lines if line.startswith("event: ")] != []
            stopper.join()
        assert len(viewers) == 0
