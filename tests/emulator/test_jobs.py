"""The life of a job: its states by time, polls and force, its charge, its refund and its deletion."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from magic_hour_emulator._jobs import NEXT
from servers import LIMIT_SECONDS, wait_until

IMAGE = "/v1/ai-image-generator"
HEADSHOT = "/v1/ai-headshot-generator"
EDITOR = "/v1/ai-image-editor"
TALKING = "/v1/ai-talking-photo"
PRELOADED = {"image_file_path": "api-assets/id/1234.png"}


def test_a_job_takes_as_long_as_its_resource(api, start, image_body, talking_body):
    def statuses(api, path, body, kind, *steps):
        job_id = api.create(path, body)["id"]
        seen = [api.get(job_id, kind)["status"]]
        for seconds in steps:
            api.emulator.clock.advance(seconds)
            seen.append(api.get(job_id, kind)["status"])
        return seen

    image = statuses(api, IMAGE, image_body, "image", 0.19, 0.02, 0.78, 0.02, 3600)
    assert image == ["queued", "queued", "rendering", "rendering", "complete", "complete"]
    assert statuses(api, TALKING, talking_body, "video", 1.9, 0.2) == ["queued", "rendering", "complete"]
    with start(durations={"ai-image-generator": 60}) as chosen:
        assert statuses(chosen, IMAGE, image_body, "image", 59, 2) == ["queued", "rendering", "complete"]


def test_the_nth_poll_finishes_a_job_whatever_the_time(start, image_body):
    with start(polls_to_complete=4) as api:
        job_id = api.create(IMAGE, image_body)["id"]
        api.emulator.clock.advance(3600)
        assert [api.get(job_id)["status"] for _ in range(5)] == ["queued", "rendering", "rendering"] + ["complete"] * 2
    with start(polls_to_complete=1) as api:
        assert api.get(api.create(IMAGE, image_body)["id"])["status"] == "complete"


def test_a_real_clock_can_run_faster(start, image_body):
    with start(frozen=False, speed=10_000, durations={"ai-image-generator": 3600}) as api:
        job_id = api.create(IMAGE, image_body)["id"]
        statuses = set()
        for _ in range(2000):
            statuses.add(api.get(job_id)["status"])
            if "complete" in statuses:
                break
        assert "complete" in statuses  # an hour in 0.36 s


def test_nothing_to_download_before_it_is_complete(api, talking_body):
    job_id = api.create(TALKING, talking_body)["id"]
    project = api.get(job_id, "video")
    assert (project["downloads"], project["download"]) == ([], None)
    assert (project["width"], project["height"]) == (-1, -1)


def test_a_name_is_kept_and_may_be_missing(api, image_body):
    assert api.finish(IMAGE, image_body)["name"] is None
    assert api.finish(IMAGE, {**image_body, "name": "Mine ☂"})["name"] == "Mine ☂"


@pytest.mark.parametrize(
    ("path", "body", "credits"),
    [
        (IMAGE, {"image_count": 1}, 5),
        (IMAGE, {"image_count": 4}, 20),
        (IMAGE, {"image_count": 3, "model": "nano-banana-pro"}, 450),
        (IMAGE, {"image_count": 2, "model": "model-of-tomorrow"}, 10),
        (EDITOR, {"assets": PRELOADED}, 50),
        (EDITOR, {"assets": PRELOADED, "image_count": 4, "model": "qwen-edit"}, 40),
        (HEADSHOT, {"assets": PRELOADED}, 50),
        (TALKING, {"start_seconds": 0, "end_seconds": 15}, 720),
        (TALKING, {"start_seconds": 1.2, "end_seconds": 2.2}, 48),
        (TALKING, {"start_seconds": 0, "end_seconds": 1.01}, 49),
        *(
            (TALKING, {"start_seconds": 0, "end_seconds": 3, "style": {"generation_mode": mode}}, credits)
            for mode, credits in [("standard", 60), ("expressive", 60), ("pro", 144), ("stable", 144)]
        ),
    ],
)
def test_prices(api, talking_body, path, body, credits):
    if path == TALKING:
        body = {**talking_body, **body}
    elif path != HEADSHOT:
        body = {"style": {"prompt": "x"}, **body}
    created = api.create(path, body)
    old = "estimated_frame_cost" if path == TALKING else "frame_cost"
    assert (created["credits_charged"], created[old]) == (credits, credits)
    assert [(charge.id, charge.credits) for charge in api.emulator.ledger.charges] == [(created["id"], credits)]
    assert api.emulator.ledger.balance == 1_000_000 - credits


def test_a_create_beyond_the_balance_is_refused_and_not_entered(start, image_body):
    with start(credits=12) as api:
        for _ in range(2):
            api.create(IMAGE, image_body)
        response = api.http.post(IMAGE, json=image_body)
        ledger = api.emulator.ledger
        assert (response.status_code, response.json()["code"]) == (402, "insufficient_credits")
        assert "5 credits, 2 are left" in response.json()["message"]
        assert (len(ledger.creates), ledger.charged, ledger.balance) == (2, 10, 2)


def test_a_failed_job_gives_its_credits_back_once(api, image_body):
    api.emulator.fail_next("content_policy_violation", "Not this prompt")
    job_id = api.create(IMAGE, {**image_body, "name": "first"})["id"]
    assert api.emulator.ledger.refunds == ()
    api.emulator.clock.advance(5)
    assert api.emulator.ledger.refunded == 5  # although it was not polled
    for _ in range(3):
        project = api.get(job_id)
        assert project["status"] == "error"
        assert project["error"] == {"code": "content_policy_violation", "message": "Not this prompt"}
        assert (project["credits_charged"], project["total_frame_cost"], project["downloads"]) == (0, 0, [])
    ledger = api.emulator.ledger
    assert [(refund.id, refund.credits) for refund in ledger.refunds] == [(job_id, 5)]
    assert [(create.operation, create.name) for create in ledger.creates] == [("ai-image-generator", "first")]
    assert (ledger.charged, ledger.refunded, ledger.balance) == (5, 5, 1_000_000)
    assert api.finish(IMAGE, image_body)["status"] == "complete"


def test_a_planned_failure_can_wait_for_its_resource(api, image_body):
    api.emulator.fail_next("no_source_face", resource="ai-headshot-generator", times=2)
    assert api.finish(IMAGE, image_body)["status"] == "complete"
    statuses = [api.finish(HEADSHOT, {"assets": PRELOADED})["status"] for _ in range(3)]
    assert statuses == ["error", "error", "complete"]
    with pytest.raises(ValueError, match="no such resource"):
        api.emulator.fail_next(resource="ai-nothing")


@pytest.mark.parametrize("status", ["draft", "queued", "rendering"])
def test_a_job_can_be_held(api, image_body, status):
    job_id = api.create(IMAGE, image_body)["id"]
    api.emulator.force(job_id, status)
    api.emulator.clock.advance(3600)
    assert api.get(job_id)["status"] == status
    api.emulator.force(job_id, "complete")
    assert api.get(job_id)["status"] == "complete"


def test_a_job_can_be_canceled_and_keeps_its_charge(api, image_body):
    job_id = api.create(IMAGE, image_body)["id"]
    api.emulator.force(job_id, "canceled")
    api.emulator.clock.advance(3600)
    assert (api.get(job_id)["status"], api.get(job_id)["credits_charged"]) == ("canceled", 5)
    assert api.emulator.ledger.refunds == ()


def test_what_has_ended_stays_as_it_is(api, image_body):
    job_id = api.finish(IMAGE, image_body)["id"]
    for status in ("error", "canceled", "queued", "draft"):
        with pytest.raises(ValueError, match="is complete"):
            api.emulator.force(job_id, status)
    with pytest.raises(ValueError, match="must be one of"):
        api.emulator.force(job_id, "deleted")
    with pytest.raises(KeyError):
        api.emulator.force("none", "error")
    assert api.emulator.ledger.refunds == ()


def test_the_state_table_has_every_state_and_no_way_back():
    order = ["draft", "queued", "rendering", "complete", "error", "canceled", "deleted"]
    assert set(NEXT) == set(order)
    assert all(order.index(after) > order.index(before) for before, targets in NEXT.items() for after in targets)
    assert all("deleted" in targets for state, targets in NEXT.items() if state != "deleted")


def test_deleting_ends_a_rendering_and_leaves_no_file(api, talking_body, held_frames):
    outputs = api.emulator.service.directory / "outputs"
    url = api.finish(TALKING, {**talking_body, "end_seconds": 20})["download"]["url"]
    [job] = api.emulator.jobs
    drawn = held_frames(job, outputs)
    with ThreadPoolExecutor() as pool:
        download = pool.submit(httpx.get, url, timeout=LIMIT_SECONDS)
        wait_until(lambda: drawn)
        assert api.http.delete(f"/v1/video-projects/{job.id}").status_code == 204
        assert download.result().status_code == 404
    assert len(drawn) == 1
    assert list(outputs.iterdir()) == []


@pytest.mark.parametrize("seconds", [0, 10])
def test_a_deleted_project_is_gone(api, image_body, seconds):
    job_id = api.create(IMAGE, image_body)["id"]
    api.emulator.clock.advance(seconds)
    urls = [download["url"] for download in api.get(job_id)["downloads"]]
    for url in urls:
        assert httpx.get(url).status_code == 200
    response = api.http.delete(f"/v1/image-projects/{job_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert api.http.get(f"/v1/image-projects/{job_id}").status_code == 404
    assert api.http.delete(f"/v1/image-projects/{job_id}").status_code == 404
    assert [httpx.get(url).status_code for url in urls] == [404] * len(urls)
    assert list((api.emulator.service.directory / "outputs").iterdir()) == []
    assert (api.emulator.ledger.charged, api.emulator.ledger.refunded) == (5, 0)


def test_the_projects_of_the_two_kinds_are_apart(api, talking_body):
    job_id = api.create(TALKING, talking_body)["id"]
    assert api.http.delete(f"/v1/image-projects/{job_id}").status_code == 404
    assert api.get(job_id, "video")["type"] == "TALKING_PHOTO"
    assert api.http.delete(f"/v1/video-projects/{job_id}").status_code == 204


def test_undecodable_inputs_fail_the_job_and_not_the_create(api, talking_body, plain_picture):
    broken_sound = {**talking_body["assets"], "audio_file_path": api.upload(b"not a sound", "audio", "mp3")}
    jobs = [
        (HEADSHOT, {"assets": {"image_file_path": api.upload(content)}}, "image_file_path")
        for content in (plain_picture("red")[:200], b"ID3" + bytes(500), b"")
    ]
    jobs.append((TALKING, {**talking_body, "assets": broken_sound}, "audio_file_path"))
    for path, body, field in jobs:
        project = api.finish(path, body)
        assert (project["status"], project["credits_charged"]) == ("error", 0)
        assert project["error"]["code"] == "invalid_file_format"
        assert field in project["error"]["message"]
    assert api.emulator.ledger.balance == 1_000_000


def test_a_clip_that_starts_after_the_sound_fails_the_job(api, talking_body, wave):
    assets = {**talking_body["assets"], "audio_file_path": api.upload(wave([(440, 1.0)]), "audio", "wav")}
    project = api.finish(TALKING, {**talking_body, "assets": assets, "start_seconds": 1.5})
    assert (project["status"], project["error"]["code"]) == ("error", "invalid_parameters")
