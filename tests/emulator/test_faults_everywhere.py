"""Every fault of the table, in every step and phase: it happens, the client notices, and the ledger is true.

Rule: seen from outside, with raw httpx. What a fault is in detail is said in the other tests of faults.
"""

import httpx
import pytest

from magic_hour_emulator.faults import matrix

IMAGE = "/v1/ai-image-generator"
SLOTS = "/v1/files/upload-urls"
ITEMS = {"items": [{"type": "image", "extension": "png"}]}
# Long enough for an answer that comes, short enough for those that never do.
PATIENCE = httpx.Timeout(10, read=0.3)
SLOWLY = {"delay": {"seconds": 0.001}, "drip": {"rate": 20_000}, "huge_body": {"size": 100_000}}


class Step:
    """One request of each step, on a service in which everything for it has been prepared."""

    def __init__(self, api, image_body):
        self.api = api
        self.body = {**image_body, "name": "Named"}
        self.slot = api.slot()
        self.project = api.finish(IMAGE, self.body)
        self.accepted = len(api.emulator.ledger.creates)

    def take(self, step):
        """The answer, or the name of what came instead."""
        job = f"/v1/image-projects/{self.project['id']}"
        requests = {
            "upload-urls": ("POST", SLOTS, {"json": ITEMS}),
            "put": ("PUT", self.slot["upload_url"], {"content": b"bytes"}),
            "create": ("POST", IMAGE, {"json": self.body}),
            "get": ("GET", job, {}),
            "delete": ("DELETE", job, {}),
            "download": ("GET", self.project["downloads"][0]["url"], {"headers": {"Range": "bytes=5-"}}),
        }
        method, url, options = requests[step]
        client = httpx if step in ("put", "download") else self.api.http
        try:
            return client.request(method, url, timeout=PATIENCE, **options)
        except httpx.HTTPError as error:
            return type(error).__name__


@pytest.fixture
def step(api, image_body):
    return Step(api, image_body)


@pytest.mark.parametrize("fault", list(matrix()), ids=str)
def test_it_happens(step, fault):
    faults = step.api.emulator.faults
    if fault.kind in SLOWLY:
        fault = type(fault)(fault.kind, on=fault.on, phase=fault.phase, **SLOWLY[fault.kind])
    faults.add(fault)
    if fault.kind == "rate_limit":
        step.take(fault.on)
    uploaded = fault.kind in ("delay", "upload_slow")

    answer = step.take(fault.on)

    assert [each.fault for each in faults.fired] == [fault]
    accepted = len(step.api.emulator.ledger.creates) - step.accepted
    goes_on = fault.phase == "after" or fault.kind in ("delay", "upload_slow", "rate_limit")
    assert accepted == (fault.on == "create" and goes_on)
    assert _stored(step) == (fault.on == "put" and goes_on)
    gone = step.api.http.get(f"/v1/image-projects/{step.project['id']}").status_code == 404
    assert gone == (fault.on == "delete" and goes_on)
    if uploaded or fault.kind == "drip":
        assert answer.status_code in (200, 204, 206)
    elif fault.kind in ("hang", "stall", "upload_stall"):
        assert answer == "ReadTimeout"
    elif fault.kind in ("reset", "upload_reset"):
        assert answer in ("ReadError", "WriteError")
    elif fault.kind in ("close", "garbage", "cut"):
        assert answer == "RemoteProtocolError"


def _stored(step):
    try:
        return bool(step.api.emulator.uploaded(step.slot["file_path"]).stat().st_size)
    except KeyError:
        return False
