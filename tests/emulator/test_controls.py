"""What tests in other processes use: the controls over HTTP, and the record of all requests."""

import json

import httpx
import pytest

IMAGE = "/v1/ai-image-generator"


def test_the_controls_over_http(api, image_body):
    controls = api.emulator.url + "/_emulator"
    assert httpx.get(f"{controls}/health").json() == {"status": "ok", "storage_url": api.emulator.storage_url}
    failing = {"code": "no_source_face", "resource": "ai-image-generator"}
    assert httpx.post(f"{controls}/fail-next", json=failing).status_code == 204
    failed, forced = (api.create(IMAGE, image_body)["id"] for _ in range(2))
    assert httpx.post(f"{controls}/jobs/{forced}", json={"status": "canceled"}).json()["status"] == "canceled"
    assert httpx.post(f"{controls}/jobs/none", json={}).status_code == 404
    before = httpx.post(f"{controls}/clock").json()["now"]
    assert httpx.post(f"{controls}/clock", json={"advance": 60}).json()["now"] == pytest.approx(before + 60)
    ledger = httpx.get(f"{controls}/ledger").json()
    assert [create["id"] for create in ledger["creates"]] == [failed, forced]
    assert [refund["id"] for refund in ledger["refunds"]] == [failed]
    assert (ledger["accepted"], ledger["charged"], ledger["refunded"], ledger["balance"]) == (2, 10, 5, 999_995)
    assert api.get(failed)["error"]["code"] == "no_source_face"
    assert [request["status"] for request in httpx.get(f"{controls}/requests").json()["requests"]] == [200, 200, 200]
    assert httpx.post(f"{controls}/reset").status_code == 204
    assert httpx.get(f"{controls}/ledger").json()["accepted"] == 0
    assert httpx.get(f"{controls}/requests").json() == {"requests": []}
    assert api.http.get(f"/v1/image-projects/{failed}").status_code == 404


def test_the_recorder_knows_each_request_and_no_secret(api, image_body):
    url = api.finish(IMAGE, image_body)["downloads"][0]["url"]
    httpx.get(f"{api.emulator.url}/v1/image-projects/x", headers={"Authorization": "Bearer mhk_wrong"})
    httpx.get(url, headers={"X-Mine": "yes"})
    seen = [(r.origin, r.method, r.path, r.authorization, r.status) for r in api.emulator.requests]
    job_id = api.emulator.jobs[0].id
    assert seen == [
        ("api", "POST", IMAGE, "right", 200),
        ("api", "GET", f"/v1/image-projects/{job_id}", "right", 200),
        ("api", "GET", "/v1/image-projects/x", "wrong", 401),
        ("storage", "GET", f"/{job_id}/output.png", "absent", 200),
    ]
    kept = json.dumps(api.emulator.requests.as_json())
    assert not any(
        secret in kept for secret in (api.emulator.token, "mhk_wrong", "signature=", url.split("signature=")[1])
    )
    assert api.emulator.requests[3].headers["x-mine"] == "yes"
    assert api.emulator.requests[0].received == len(httpx.Request("POST", url, json=image_body).content)
    assert len(api.emulator.requests.find(origin="api", method="GET")) == 2
