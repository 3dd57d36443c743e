"""Web pages in a browser on this machine cannot use the emulator.

Rule: each request is one that browsers really send, or one of a program that must keep working.
"""

import re

import httpx
import pytest

from magic_hour_emulator._controls import CONTROLS, VIEWS
from magic_hour_emulator._page import PAGE_FILES

_PARAMETER = re.compile(r"\{\w+(:\w+)?\}")
IMAGE = "/v1/ai-image-generator"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},  # a name that was rebound to 127.0.0.1 after the page was loaded
        *(
            {"Host": f"{name}evil.example{port}"}
            for name, port in [("", ":8765"), ("localhost.", ""), ("localhost@", "")]
        ),
        *({"Host": host} for host in ("evillocalhost", "0.0.0.0:8765", "10.0.0.7", "[::2]", "[::1", "")),
        *({"Origin": origin} for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example")),
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_foreign_pages_reach_no_control(api, image_body, headers):
    job = api.create(IMAGE, image_body)["id"]
    controls = [(method, f"/_emulator/{_PARAMETER.sub(job, path)}") for method, path in (*CONTROLS, *VIEWS)]
    controls.append(("GET", f"/_emulator/jobs/{job}/outputs/0"))
    page = [("GET", "/"), *(("GET", f"/_emulator/page/{name}") for name in PAGE_FILES)]
    for method, path in (*controls, *page):
        if re.search(r"/(requests|outputs)/c", path):  # these take a number
            continue
        refused = api.http.request(method, path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), path
        assert job not in refused.text
    assert [each.id for each in api.emulator.jobs] == [job]


@pytest.mark.parametrize(
    "headers",
    [
        *({"Host": host} for host in ("localhost:1", "LOCALHOST.", "magic-hour.localhost", "127.8.8.8", "[::1]:8765")),
        {"Origin": "http://localhost:5173"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},  # typed into the address bar
    ],
    ids=str,
)
def test_pages_and_programs_of_this_machine_do(emulator, headers):
    assert httpx.get(f"{emulator.url}/_emulator/ledger", headers=headers).status_code == 200


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
@pytest.mark.parametrize("path", ["/_emulator/clock", "/_emulator/fail-next", "/_emulator/faults", IMAGE])
def test_a_form_is_no_json(api, path, type):
    """A page can send these without a preflight request."""
    body = b'{"kind": "reset", "advance": 60}'
    headers = {"Content-Type": type} if type else {}
    refused = api.http.post(path, content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert "application/json" in refused.json()["message"]
    assert api.emulator.faults.pending == ()


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}], ids=str)
def test_a_foreign_page_creates_nothing_even_with_the_key(api, image_body, headers):
    refused = api.http.post(IMAGE, json=image_body, headers=headers)
    assert refused.status_code == 403
    assert api.emulator.ledger.creates == ()


def test_clients_that_reach_the_api_under_another_name_keep_working(api, image_body):
    """For example from a container: they need the key, so the name does not matter."""
    assert api.http.post(IMAGE, json=image_body, headers={"Host": "host.docker.internal"}).status_code == 200


def test_other_names_for_the_controls_can_be_allowed(start):
    with start(allowed_hosts=["Host.Docker.internal"]) as api:
        url = f"{api.emulator.url}/_emulator/ledger"
        assert httpx.get(url, headers={"Host": "host.docker.internal:8765"}).status_code == 200
        assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 403
