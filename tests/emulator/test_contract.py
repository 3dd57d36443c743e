"""The emulator follows the contract: its responses match the schemas, and another contract changes its checks."""

import copy
import io
import json
from pathlib import Path

import av
import httpx
import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT202012

SPEC = Path(__file__).parents[2] / "emulator" / "magic_hour_emulator" / "spec" / "contract.json"
DOCUMENT = json.loads(SPEC.read_text(encoding="utf-8"))
CREATES = {
    path: item["post"] for path, item in DOCUMENT["paths"].items() if item.get("post", {}).get("x-charges-credits")
}


def check(answer, schema):
    """Check a response against a named schema; it must have every property, including deprecated ones."""
    registry = Registry().with_resource("urn:spec", DRAFT202012.create_resource(DOCUMENT))
    validator = jsonschema.Draft202012Validator({"$ref": f"urn:spec#/components/schemas/{schema}"}, registry=registry)
    validator.validate(answer)
    assert set(answer) == set(DOCUMENT["components"]["schemas"][schema]["properties"])


@pytest.mark.parametrize("path", CREATES)
def test_the_example_of_every_create_works_and_every_answer_fits_its_schema(api, path):
    operation = CREATES[path]
    kind = operation["x-project-kind"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
    project_schema = f"V1{kind.capitalize()}ProjectsGetResponse"
    created = api.create(path, operation["requestBody"]["content"]["application/json"]["example"])
    check(created, schema)
    seen = []
    for seconds in (0.0, 0.5, 5.0):
        api.emulator.clock.advance(seconds)
        project = api.get(created["id"], kind)
        check(project, project_schema)
        seen.append(project["status"])
    assert seen == ["queued", "rendering", "complete"]


def test_upload_places_fit_their_schema_and_come_in_order(api):
    example = DOCUMENT["paths"]["/v1/files/upload-urls"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    answer = api.http.post("/v1/files/upload-urls", json=example).json()
    check(answer, "V1FilesUploadUrlsCreateResponse")
    assert [item["file_path"].rsplit("/", 1)[1] for item in answer["items"]] == ["video.mp4", "audio.mp3"]
    for item in answer["items"]:
        check(item, "V1FilesUploadUrlsCreateResponseItemsItem")


def test_a_failed_job_fits_its_schema_too(api, image_body):
    api.emulator.fail_next("no_source_face")
    project = api.finish("/v1/ai-image-generator", image_body)
    check(project, "V1ImageProjectsGetResponse")
    check(project["error"], "ProjectError")


def test_another_contract_changes_routes_checks_and_prices(start, tmp_path, image_body):
    changed = json.loads(SPEC.read_text(encoding="utf-8"))
    body = changed["components"]["schemas"]["V1AiImageGeneratorCreateBody"]
    body["properties"]["mood"] = {"type": "string", "enum": ["calm", "wild"]}
    changed["paths"]["/v1/ai-image-generator"]["post"]["x-credits"]["prices"][0]["price"] = 7
    changed["paths"]["/v1/ai-other"] = {"post": {"operationId": "other", "responses": {}}}
    spec = tmp_path / "other.yaml"
    spec.write_text(json.dumps(changed), encoding="utf-8")
    with start(spec=spec) as api:
        assert api.create("/v1/ai-image-generator", {**image_body, "mood": "calm"})["credits_charged"] == 7
        wrong = api.http.post("/v1/ai-image-generator", json={**image_body, "mood": "sad"})
        other = api.http.post("/v1/ai-other", json={})
    assert (wrong.status_code, wrong.json()["message"]) == (422, "mood must be one of calm, wild")
    assert other.status_code == 501


def test_a_file_that_is_no_contract_is_refused(start, tmp_path):
    spec = tmp_path / "list.yaml"
    spec.write_text("- one\n- two\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not an OpenAPI document"), start(spec=spec):
        pass


HOLOGRAM = {
    "operationId": "create_hologram",
    "x-charges-credits": True,
    "x-project-kind": "hologram",
    "x-credits": {"unit": "view", "quantity": {"count": "views"}, "prices": [{"price": 3}]},
    "x-emulator": {"type": "HOLOGRAM", "media": {"depth": {"flat": "image/png", "deep": "video/webm"}}, "count": 1},
    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Hologram"}}}},
    "responses": {},
}
VIEWS = {"type": "array", "items": {"properties": {"file": {"type": "string", "x-asset": ["video", "image"]}}}}
DEEP = {"if": {"properties": {"depth": {"const": "deep"}}, "required": ["depth"]}, "then": {"required": ["views"]}}


def test_an_invented_operation_of_an_invented_kind_works_by_its_rows(start, tmp_path):
    changed = copy.deepcopy(DOCUMENT)
    changed["components"]["schemas"]["Hologram"] = {"properties": {"views": VIEWS}, "allOf": [DEEP]}
    changed["paths"]["/v1/hologram-maker"] = {"post": HOLOGRAM}
    methods = {method: {"operationId": method, "responses": {}} for method in ("get", "delete")}
    changed["paths"]["/v1/hologram-projects/{id}"] = methods
    spec = tmp_path / "other.json"
    spec.write_text(json.dumps(changed), encoding="utf-8")
    body = {"depth": "deep", "views": [{"file": "api-assets/id/1234.png"}, {"file": "api-assets/id/1234.mp4"}]}
    with start(spec=spec) as api:
        refused = api.http.post("/v1/hologram-maker", json={"depth": "deep"})
        assert (refused.status_code, refused.json()["message"]) == (422, "views is required")
        job = api.create("/v1/hologram-maker", body)
        api.emulator.clock.advance(10)
        project = api.get(job["id"], "hologram")
        assert (job["credits_charged"], project["type"], project["status"]) == (6, "HOLOGRAM", "complete")
        (download,) = project["downloads"]
        with av.open(io.BytesIO(httpx.get(download["url"]).content)) as made:
            assert made.format.name == "matroska,webm"
            assert made.duration / av.time_base == pytest.approx(1, abs=0.1)
            assert sum(frame.samples for frame in made.decode(audio=0)) == pytest.approx(48_000, rel=0.1)
        assert [source.role for source in api.emulator.jobs[0].inputs] == ["image", "video"]
        assert api.http.delete(f"/v1/hologram-projects/{job['id']}").status_code == 204
