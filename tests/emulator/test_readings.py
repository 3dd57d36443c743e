"""GETs that are not about a project: tasks without a charge, the balance, and pages of saved items.

Rule: the operations are found by their rows in the contract; their names are not repeated here.
"""

import io

import httpx
import pytest
from PIL import Image

from magic_hour_emulator._contract import load_contract

OPERATIONS = load_contract().operations
[BALANCE] = [each for each in OPERATIONS if each.reading and each.reading.balance]
[PAGES] = [each for each in OPERATIONS if each.reading and each.reading.items]
[TASK] = [each for each in OPERATIONS if each.emulation and not each.charges]
[OF_TASK] = [each for each in OPERATIONS if each.kind == TASK.kind and each.method == "GET"]
IMAGE = "/v1/ai-image-generator"


def read(api, operation, **query):
    return api.http.get(operation.path, params=query).raise_for_status().json()


def finished(api, path):
    """A task about the file at `path`, completed."""
    body = {"assets": {TASK.assets[0].path[-1]: path}}
    created = api.create(TASK.path, body)
    assert created["credits_charged"] == 0
    answer = OF_TASK.path.replace("{id}", created["id"])
    before = api.http.get(answer).json()
    assert (before["status"], before[TASK.emulation.outputs]) == ("queued", [])
    api.emulator.clock.advance(10)
    return api.http.get(answer).json()


def test_a_task_is_free_and_gives_small_pictures_that_can_be_inputs(api, plain_picture):
    task = finished(api, api.upload(plain_picture("lime")))
    assert set(task) == OF_TASK.answer
    assert task["status"] == "complete"
    found = task[TASK.emulation.outputs]
    assert len(found) == TASK.emulation.count > 1
    for each in found:
        image = Image.open(io.BytesIO(httpx.get(each["url"]).raise_for_status().content))
        assert max(image.size) <= 160
        red, green, blue = image.convert("RGB").getpixel((image.width // 2, image.height // 3))
        assert green > 1.5 * max(red, blue)
        (made,) = api.outputs("/v1/ai-headshot-generator", {"assets": {"image_file_path": each["path"]}})
        assert Image.open(io.BytesIO(made)).format == "PNG"
    charged = {charge.id for charge in api.emulator.ledger.charges}
    assert task["id"] not in charged
    assert len(charged) == len(found)


def test_a_task_that_fails_is_not_in_the_ledger(api):
    task = finished(api, api.upload(b"broken", "image", "png"))
    assert (task["status"], task[TASK.emulation.outputs]) == ("error", [])
    assert api.emulator.ledger.refunds == ()


def test_a_task_is_no_project_and_a_project_no_task(api, image_body):
    task = api.create(TASK.path, TASK.example)["id"]
    job = api.create(IMAGE, image_body)["id"]
    assert api.http.get(f"/v1/image-projects/{task}").status_code == 404
    assert api.http.get(OF_TASK.path.replace("{id}", job)).status_code == 404
    api.emulator.clock.advance(10)
    assert api.http.get(OF_TASK.path.replace("{id}", "nothing")).status_code == 404
    refused = api.http.post(
        "/v1/ai-headshot-generator", json={"assets": {"image_file_path": f"api-assets/{task}/0-9.png"}}
    )
    assert "was not uploaded" in refused.json()["message"]


def test_the_balance_falls_with_the_ledger(api, image_body):
    assert set(read(api, BALANCE)) == BALANCE.answer
    credits = BALANCE.reading.balance
    assert read(api, BALANCE)[credits] == 1_000_000
    api.create(IMAGE, image_body)
    assert read(api, BALANCE)[credits] == api.emulator.ledger.balance == 1_000_000 - 5
    api.emulator.fail_next()
    api.finish(IMAGE, image_body)
    assert read(api, BALANCE)[credits] == 1_000_000 - 5


def test_the_balance_and_other_fields_can_be_set(api, image_body):
    api.emulator.set_answer(BALANCE.resource, **{BALANCE.reading.balance: 12, "tier": "free"})
    account = read(api, BALANCE)
    assert (account[BALANCE.reading.balance], account["tier"]) == (12, "free")
    assert [api.http.post(IMAGE, json=image_body).status_code for _ in range(3)] == [200, 200, 402]
    body = {"resource": BALANCE.resource, "fields": {BALANCE.reading.balance: 100, "email": None}}
    assert api.http.post("/_emulator/answers", json=body).status_code == 204
    assert read(api, BALANCE) | {"email": None, BALANCE.reading.balance: 100} == read(api, BALANCE)
    assert api.emulator.ledger.charged == 10
    api.emulator.reset()
    assert read(api, BALANCE)["tier"] != "free"


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"resource": "nothing"}, {"resource": PAGES.resource}),
        *({"resource": BALANCE.resource, "fields": fields} for fields in ({"nothing": 1}, [1])),
        *({"resource": BALANCE.resource, "fields": {BALANCE.reading.balance: value}} for value in (-1, "1", True, 1.5)),
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_is_refused(api, body):
    before = read(api, BALANCE)
    refused = api.http.post("/_emulator/answers", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "unprocessable_entity")
    assert read(api, BALANCE) == before


def test_pages_of_items_end_with_the_last(api, portrait):
    assert read(api, PAGES) == {PAGES.reading.items: [], PAGES.reading.following: None}
    added = [api.emulator.add_item(PAGES.resource, portrait, type="character", name=str(at))["id"] for at in range(5)]
    api.emulator.add_item(PAGES.resource, type="voice")
    seen, cursor = [], None
    for _ in range(3):
        page = read(api, PAGES, type="character", limit=2, **({PAGES.reading.cursor: cursor} if cursor else {}))
        seen += [item["id"] for item in page[PAGES.reading.items]]
        cursor = page[PAGES.reading.following]
    assert (seen, cursor) == (added, None)
    assert len(read(api, PAGES)[PAGES.reading.items]) == 6


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {PAGES.reading.cursor: "nothing"}])
def test_a_query_out_of_bounds_is_refused(api, query):
    refused = api.http.get(PAGES.path, params=query)
    assert (refused.status_code, refused.json()["code"]) == (422, "unprocessable_entity")
    assert next(iter(query)) in refused.json()["message"]


def test_an_asset_of_an_item_is_an_input_that_does_not_expire(api, plain_picture):
    item = {"type": "reference", "assets": [{"file_path": api.upload(plain_picture("blue"))}]}
    added = api.http.post("/_emulator/items", json={"resource": PAGES.resource, "item": item})
    assert added.status_code == 201
    api.emulator.clock.advance(30 * 24 * 3600)
    [found] = read(api, PAGES)[PAGES.reading.items]
    [asset] = found["assets"]
    assert (found["id"], asset["media_kind"], asset["is_primary"]) == (added.json()["id"], "IMAGE", True)
    assert httpx.get(asset["url"]).content == plain_picture("blue")
    assert api.outputs("/v1/ai-headshot-generator", {"assets": {"image_file_path": asset["file_path"]}})


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"resource": "nothing"}, {"resource": PAGES.resource, "item": {"assets": [{}]}}),
        {"resource": PAGES.resource, "item": {"assets": [{"file_path": "api-assets/none/image.png"}]}},
    ],
    ids=str,
)
def test_an_item_that_cannot_be_is_refused(api, body):
    refused = api.http.post("/_emulator/items", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "unprocessable_entity")
    assert read(api, PAGES)[PAGES.reading.items] == []
