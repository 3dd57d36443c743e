"""What the API refuses, with which status, code and message, and what it accepts."""

import re

import httpx
import pytest

IMAGE = "/v1/ai-image-generator"
HEADSHOT = "/v1/ai-headshot-generator"
EDITOR = "/v1/ai-image-editor"
TALKING = "/v1/ai-talking-photo"


def refused(response, status, code):
    """The message of a response that must be this refusal."""
    assert response.status_code == status, response.text
    assert response.json()["code"] == code
    assert set(response.json()) == {"code", "message"}
    return response.json()["message"]


PRELOADED = "api-assets/id/1234.png"


def edit(prompt="x", **assets):
    return {"assets": assets, "style": {"prompt": prompt}}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer mhk_other"}, {"Authorization": "mhk_local"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", path) for path in ("/v1/files/upload-urls", IMAGE, HEADSHOT, EDITOR, TALKING)),
        *((method, f"/v1/{kind}-projects/some") for method in ("GET", "DELETE") for kind in ("image", "video")),
    ],
)
def test_no_operation_without_the_right_key(emulator, headers, method, path):
    response = httpx.request(method, emulator.url + path, headers=headers, json={})
    assert "Authorization" in refused(response, 401, "unauthorized") or headers
    assert emulator.token not in response.text


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (IMAGE, {}, "image_count is required; style is required"),
        (IMAGE, {"image_count": 99, "style": {}}, "image_count must be 16 or less; style.prompt is required"),
        (IMAGE, {"image_count": 1}, "style is required"),
        (IMAGE, {"image_count": 1, "style": {}}, "style.prompt is required"),
        (IMAGE, {"image_count": 1, "style": {"prompt": ""}}, "style.prompt must not be shorter than 1"),
        (IMAGE, {"image_count": 0, "style": {"prompt": "x"}}, "image_count must be 1 or more"),
        (IMAGE, {"image_count": 17, "style": {"prompt": "x"}}, "image_count must be 16 or less"),
        (IMAGE, {"image_count": "1", "style": {"prompt": "x"}}, "image_count must be an integer"),
        (IMAGE, {"image_count": 1, "style": {"prompt": "x", "tool": "no"}}, "style.tool must be one of ai-anime-"),
        (IMAGE, {"image_count": 1, "style": {"prompt": "x"}, "model": 5}, "model must be a string"),
        (IMAGE, {"image_count": 1, "style": {"prompt": "x"}, "name": None}, "name must be a string"),
        (EDITOR, edit(image_file_paths=[]), "assets.image_file_paths must have at"),
        (EDITOR, edit(image_file_paths=["a", ""]), "assets.image_file_paths[1] must"),
        (EDITOR, edit(), "assets.image_file_paths or assets.image_file_path is required"),
        (EDITOR, edit("x" * 15001, image_file_path="a"), "at most 15000 characters"),
        (EDITOR, {**edit(image_file_path=PRELOADED), "image_count": 2}, "image_count"),
        (HEADSHOT, {"assets": {}}, "assets.image_file_path is required"),
        (TALKING, {"assets": {"image_file_path": "a"}}, "assets.audio_file_path is required"),
        ("/v1/files/upload-urls", {"items": []}, "items must have at least 1 item"),
        ("/v1/files/upload-urls", {"items": [{"type": "image", "extension": ".png"}]}, "items[0].extension must match"),
        ("/v1/files/upload-urls", {"items": [{"type": "text", "extension": "png"}]}, "items[0].type must be one of"),
    ],
)
def test_a_body_against_its_schema_names_the_field(api, path, body, message):
    assert message in refused(api.http.post(path, json=body), 422, "unprocessable_entity")
    assert not api.emulator.ledger.creates


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start_seconds": 5, "end_seconds": 5}, "end_seconds must be after start_seconds"),
        ({"start_seconds": 5, "end_seconds": 4}, "end_seconds must be after start_seconds"),
        ({"start_seconds": -1}, "start_seconds must be 0 or more"),
        ({"end_seconds": 301}, "end_seconds must be after start_seconds, by at most 300"),
        ({"end_seconds": 46, "style": {"generation_mode": "prompted"}}, "end_seconds must be at most 45"),
        ({"end_seconds": 46, "style": {"generation_mode": "expressive"}}, "end_seconds must be at most 45"),
        ({"style": {"intensity": 2.1}}, "style.intensity must be 2 or less"),
        ({"style": {"intensity": 0.295}}, "style.intensity must be in steps of 0.01"),
    ],
)
def test_a_talking_photo_that_cannot_be(api, talking_body, change, message):
    response = api.http.post(TALKING, json={**talking_body, **change})
    assert message in refused(response, 422, "unprocessable_entity")
    assert not api.emulator.ledger.creates


@pytest.mark.parametrize("mode", ["realistic", "prompted", "pro", "standard", "stable", "expressive"])
def test_retired_fields_and_modes_of_a_talking_photo_are_accepted(api, talking_body, mode):
    style = {"generation_mode": mode, "intensity": 0.29, "prompt": "smile"}
    assert api.create(TALKING, {**talking_body, "style": style, "max_resolution": 1024})["id"]


def test_retired_fields_of_images_are_accepted(api):
    style = {"prompt": "x", "quality_mode": "pro"}
    old = {"assets": {"image_file_path": PRELOADED}, "style": {"prompt": "x", "model": "Nano Banana"}}
    assert api.create(IMAGE, {"image_count": 1, "style": style, "orientation": "portrait"})["id"]
    assert api.create(EDITOR, old)["id"]


def test_unknown_fields_are_ignored_and_unknown_models_accepted(api, image_body):
    assert api.create(IMAGE, {**image_body, "new_field": {"a": 1}, "model": "model-of-tomorrow"})["id"]


def test_an_asset_that_nobody_uploaded_is_refused(api):
    never_issued = {"assets": {"image_file_path": "api-assets/id/never.png"}}
    never_sent = {"assets": {"image_file_path": api.slot()["file_path"]}}
    for body in (never_issued, never_sent):
        message = refused(api.http.post(HEADSHOT, json=body), 422, "unprocessable_entity")
        assert message.startswith("assets.image_file_path: ")
        assert "was not uploaded" in message


def test_the_second_of_several_assets_is_looked_at_too(api):
    body = edit(image_file_paths=[PRELOADED, "api-assets/id/never.png"])
    message = refused(api.http.post(EDITOR, json=body), 422, "unprocessable_entity")
    assert "assets.image_file_paths" in message
    assert "never.png" in message


@pytest.mark.parametrize("url", ["https://example.com/a/photo", "http://example.com"])
def test_a_url_needs_an_extension(api, url):
    response = api.http.post(HEADSHOT, json={"assets": {"image_file_path": url}})
    assert "extension" in refused(response, 422, "unprocessable_entity")


@pytest.mark.parametrize(
    "value",
    [PRELOADED, "https://example.com/photo.jpg?size=big", "https://magichour.ai/my-library?imageId=unknown"],
)
def test_an_asset_may_be_preloaded_or_elsewhere(api, value):
    project = api.finish(HEADSHOT, {"assets": {"image_file_path": value}})
    assert project["status"] == "complete"


def test_an_unknown_project_is_not_found(api, image_body):
    image = api.create(IMAGE, image_body)["id"]
    for path in ("/v1/image-projects/none", "/v1/video-projects/none", f"/v1/video-projects/{image}"):
        for method in ("GET", "DELETE"):
            refused(api.http.request(method, path), 404, "not_found")


def test_an_unknown_path_and_method(api):
    refused(api.http.get("/v1/nothing"), 404, "not_found")
    response = api.http.put(IMAGE, json={})
    refused(response, 405, "invalid_request")
    assert response.headers["allow"] == "POST"


def test_ids_look_like_the_services_and_follow_the_seed(start, image_body):
    def ids(seed):
        with start(seed=seed) as api:
            first = [api.create(IMAGE, image_body)["id"] for _ in range(3)]
            api.emulator.reset()
            assert [api.create(IMAGE, image_body)["id"] for _ in range(3)] == first
            return first

    first = ids(1)
    assert ids(1) == first
    assert ids(None) != ids(None)  # otherwise files of one run would look like those of the next
    assert not set(ids(2)) & set(first)
    assert all(re.fullmatch(r"c[a-z0-9]{24}", job_id) for job_id in first)
