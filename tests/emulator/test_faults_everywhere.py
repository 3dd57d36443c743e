"""Every fault of the table, in every step and phase: it happens, the client notices, and the ledger is correct.

Rule: seen from outside, with raw httpx; other tests cover each fault in detail. Kinds with several variants
take turns, one for each step and phase; `make test-long` has them all.
"""

from concurrent.futures import ThreadPoolExecutor, wait

import httpx
import pytest

from magic_hour_emulator.faults import Fault, matrix
from servers import LIMIT_SECONDS, wait_until

IMAGE = "/v1/ai-image-generator"
ITEMS = {"items": [{"type": "image", "extension": "png"}]}
QUICKLY = {"delay": {"seconds": 0.001}, "drip": {"rate": 20_000}, "huge_body": {"size": 100_000}}

DEFAULT_STATUS = {"upload-urls": 200, "put": 200, "create": 200, "get": 200, "delete": 204, "download": 206}
HARMLESS = ("delay", "drip", "upload_slow")
# What a client sees of kinds that have neither the usual status nor a `status` parameter.
SEEN = {
    **dict.fromkeys(("hang", "stall", "upload_stall"), "silence"),
    "reset": "ReadError",
    **dict.fromkeys(("close", "garbage", "cut"), "RemoteProtocolError"),
    **dict.fromkeys(("html", "binary", "empty", "malformed_json", "range_ignored"), 200),
    **{"rate_limited": 429, "rate_limit": 429, "unavailable": 503, "not_found": 404, "expired_url": 403},
}


class Service:
    """An emulator that is ready for one request of each step."""

    def __init__(self, api, image_body):
        self.api = api
        self.body = {**image_body, "name": "Named"}
        self.slot = api.slot()
        self.project = api.finish(IMAGE, self.body)
        self.path = f"/v1/image-projects/{self.project['id']}"

    def ask(self, step):
        """The status of the response, or the name of the error."""
        requests = {
            "upload-urls": ("POST", "/v1/files/upload-urls", {"json": ITEMS}),
            "put": ("PUT", self.slot["upload_url"], {"content": b"bytes"}),
            "create": ("POST", IMAGE, {"json": self.body}),
            "get": ("GET", self.path, {}),
            "delete": ("DELETE", self.path, {}),
            "download": ("GET", self.project["downloads"][0]["url"], {"headers": {"Range": "bytes=20-"}}),
        }
        method, url, options = requests[step]
        client = httpx if step in ("put", "download") else self.api.http
        try:
            return client.request(method, url, timeout=LIMIT_SECONDS, **options).status_code
        except httpx.HTTPError as error:
            return type(error).__name__

    def ask_with_patience(self, step):
        """The same, but no response a moment after the fault counts as silence."""
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self.ask, step)
            try:
                wait_until(lambda: answer.done() or self.api.emulator.faults.fired)
                return answer.result() if wait([answer], 0.05).done else "silence"
            finally:
                self.api.emulator.faults.clear()

    def done(self):
        """The steps that the service has carried out, as far as it shows."""
        done = {"create"} if len(self.api.emulator.ledger.creates) == 2 else set()
        if self.project["id"] not in {job.id for job in self.api.emulator.jobs}:
            done.add("delete")
        try:
            self.api.emulator.uploaded(self.slot["file_path"])
        except KeyError:
            return done
        return done | {"put"}


@pytest.fixture
def service(api, image_body):
    return Service(api, image_body)


def cells():
    groups = {}
    for fault in matrix():
        groups.setdefault((fault.kind, fault.on, fault.phase), []).append(fault)
    for turn, variants in enumerate(groups.values()):
        for number, fault in enumerate(variants):
            marks = [] if number == turn % len(variants) else [pytest.mark.long]
            yield pytest.param(fault, id=str(fault), marks=marks)


@pytest.mark.parametrize("fault", list(cells()))
def test_a_fault(service, fault):
    faults, step = service.api.emulator.faults, fault.on
    if fault.kind in QUICKLY:
        fault = Fault(fault.kind, on=step, phase=fault.phase, **QUICKLY[fault.kind])
    faults.add(fault)
    if fault.kind == "rate_limit":
        service.ask(step)
    seen = service.ask_with_patience(step) if SEEN.get(fault.kind) == "silence" else service.ask(step)
    assert [each.fault for each in faults.fired] == [fault]
    carried_out = fault.phase == "after" or fault.kind in (*HARMLESS, "rate_limit")
    assert service.done() == ({step} & {"put", "create", "delete"} if carried_out else set())
    if fault.kind == "upload_reset":  # a client that is still writing loses the reset to that write
        assert seen in ("ReadError", "WriteError", "RemoteProtocolError")
    elif fault.parameters.get("difference", 0) > 0:
        assert seen == "RemoteProtocolError"
    elif fault.kind.startswith("job"):
        assert seen == 200
    else:
        assert seen == SEEN.get(fault.kind, fault.parameters.get("status", DEFAULT_STATUS[step]))
