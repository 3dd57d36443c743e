"""Webhooks: signed events, delivered by themselves, again until they are accepted, with the faults of the schedule."""

import hashlib
import hmac
import itertools
import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from magic_hour_emulator import Emulator, _courier, _webhook_targets
from magic_hour_emulator._contract import load_contract
from magic_hour_emulator._fault_kinds import WEBHOOK
from magic_hour_emulator._webhook_targets import parse_webhook
from magic_hour_emulator._webhooks import EVENTS
from magic_hour_emulator.faults import matrix
from servers import LIMIT_SECONDS, wait_until

IMAGE, FACES = "/v1/ai-image-generator", "/v1/face-detection"
SECRET = "whsec_c2VjcmV0"
DAY = 24 * 3600


class Receiver:
    """A server on loopback that notes each event and answers with the next status, by default 200."""

    def __init__(self, server):
        self.url = f"http://127.0.0.1:{server.server_port}/hook?key=1"
        self.events = []
        self.genuine = []
        self.statuses = []
        self.go_on = threading.Event()
        self.go_on.set()

    def note(self, handler):
        body = handler.rfile.read(int(handler.headers["content-length"]))
        message = handler.headers["magic-hour-event-timestamp"].encode() + b"." + body
        right = hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
        self.genuine.append(handler.headers["magic-hour-event-signature"] == right)
        self.events.append(json.loads(body))
        self.go_on.wait(LIMIT_SECONDS)
        return self.statuses.pop(0) if self.statuses else 200

    def wait(self, count):
        wait_until(lambda: len(self.events) >= count)
        return [event["type"] for event in self.events]


@contextmanager
def receiving():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(receiver.note(self))
            self.send_header("location", "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.go_on.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def hooked(start, receiver):
    with start(webhook=receiver.url, webhook_secret=SECRET) as api:
        yield api


def attempts(api, count):
    wait_until(lambda: len(api.emulator.deliveries) >= count)
    return [(each.type, each.number, each.status, each.fault) for each in api.emulator.deliveries]


def test_events_come_by_themselves_and_carry_what_the_get_answers(start, receiver, image_body):
    with start(webhook=receiver.url, webhook_secret=SECRET, frozen=False, speed=100) as api:
        job_id = api.create(IMAGE, image_body)["id"]
        assert receiver.wait(2) == ["image.started", "image.completed"]
        assert not api.emulator.requests.find(method="GET")
        project = api.get(job_id)
    assert [event["payload"]["status"] for event in receiver.events] == ["rendering", "complete"]
    payload = receiver.events[1]["payload"]
    assert {**payload, "downloads": 0} == {**project, "downloads": 0}
    assert len(payload["downloads"]) == 1
    assert receiver.genuine == [True, True]


def test_a_frozen_clock_delivers_when_it_is_advanced(hooked, receiver, image_body):
    job_id = hooked.create(IMAGE, image_body)["id"]
    hooked.emulator.clock.advance(0.5)
    assert receiver.wait(1) == ["image.started"]
    hooked.emulator.clock.advance(10)
    assert receiver.wait(2) == ["image.started", "image.completed"]
    assert attempts(hooked, 2) == [("image.started", 1, 200, None), ("image.completed", 1, 200, None)]
    shown = httpx.get(f"{hooked.emulator.url}/_emulator/deliveries").json()["deliveries"]
    assert [each["job_id"] for each in shown] == [job_id, job_id]
    assert {each["url"] for each in shown} == {receiver.url.partition("?")[0]}
    assert SECRET not in str(shown) + repr(hooked.emulator.service.settings) + repr(hooked.emulator.service.webhooks)


def test_a_failed_job_sends_errored_and_a_canceled_one_or_a_task_nothing(hooked, receiver, image_body):
    hooked.emulator.faults.add("job_canceled", on="create")
    hooked.create(IMAGE, image_body)
    operation = next(each for each in load_contract().operations if each.path == FACES)
    hooked.create(FACES, operation.example)
    hooked.emulator.fail_next()
    hooked.create(IMAGE, image_body)
    hooked.emulator.clock.advance(100)
    receiver.wait(2)
    hooked.emulator.force(hooked.create(IMAGE, image_body)["id"], "complete")
    assert receiver.wait(4) == ["image.started", "image.errored", "image.started", "image.completed"]
    assert len(attempts(hooked, 4)) == 4
    assert receiver.events[1]["payload"]["error"]["code"] == "unknown_error"


def test_an_event_is_sent_again_with_growing_pauses_until_it_is_accepted(hooked, receiver, image_body):
    receiver.statuses = [500, 302]
    hooked.emulator.force(hooked.create(IMAGE, image_body)["id"], "rendering")
    for count, seconds in [(1, 5), (2, 10)]:
        attempts(hooked, count)
        hooked.emulator.clock.advance(seconds - 0.1)
        hooked.emulator.clock.advance(0.2)
    assert attempts(hooked, 3) == [
        ("image.started", number, status, None) for number, status in [(1, 500), (2, 302), (3, 200)]
    ]
    times = [each.at for each in hooked.emulator.deliveries]
    assert [round(after - before) for before, after in itertools.pairwise(times)] == [5, 10]
    assert receiver.events[0] == receiver.events[1] == receiver.events[2]
    assert hooked.emulator.service.webhooks.pending == ()


def test_after_24_hours_an_event_is_given_up(hooked, receiver, image_body):
    receiver.statuses = [500] * 100
    hooked.emulator.force(hooked.create(IMAGE, image_body)["id"], "rendering")
    made = 1
    attempts(hooked, made)
    while pending := hooked.emulator.service.webhooks.pending:
        hooked.emulator.clock.advance(pending[0].due - hooked.emulator.clock.now())
        made += 1
        attempts(hooked, made)
        wait_until(lambda made=made: not any(each.attempts < made for each in hooked.emulator.service.webhooks.pending))
    assert len(receiver.events) == 15
    assert hooked.emulator.deliveries[-1].at - hooked.emulator.deliveries[0].at <= DAY


def test_no_answer_in_time_and_no_server_are_problems(start, receiver, image_body, monkeypatch):
    monkeypatch.setattr(_courier, "_ANSWER_SECONDS", 0.05)
    with socket.socket() as closed, start(webhook=receiver.url, webhook_secret=SECRET) as api:
        closed.bind(("127.0.0.1", 0))
        api.emulator.add_webhook(f"http://127.0.0.1:{closed.getsockname()[1]}/", "x")
        receiver.go_on.clear()
        api.emulator.force(api.create(IMAGE, image_body)["id"], "rendering")
        wait_until(lambda: len(api.emulator.deliveries) == 2)
        problems = sorted(str(each.problem) for each in api.emulator.deliveries)
    assert "refused" in problems[0] or "Connect call failed" in problems[0]
    assert problems[1] == "no answer within 0.05 seconds"


@pytest.mark.parametrize(
    ("fault", "on", "expected"),
    [
        ("webhook_duplicate", "webhook", ["image.started", "image.started", "image.completed"]),
        ("webhook_duplicate", "image.completed", ["image.started", "image.completed", "image.completed"]),
        ("webhook_reordered", "*", ["image.completed", "image.started"]),
        ("webhook_lost", "image.started", ["image.completed"]),
        ("webhook_late", "webhook", ["image.completed", "image.started"]),
    ],
)
def test_faults(hooked, receiver, image_body, fault, on, expected):
    hooked.emulator.faults.add(fault, on=on)
    hooked.create(IMAGE, image_body)
    hooked.emulator.clock.advance(0.5)
    hooked.emulator.clock.advance(10)
    wait_until(lambda: any(event["type"] == "image.completed" for event in receiver.events))
    hooked.emulator.clock.advance(100)
    assert receiver.wait(len(expected)) == expected
    seen = [each for each in attempts(hooked, len(expected)) if each[3]]
    assert {each[3] for each in seen} == {fault}
    assert [each.fault.kind for each in hooked.emulator.faults.fired] == [fault]


def test_a_wrong_signature_is_followed_by_a_right_one(hooked, receiver, image_body):
    receiver.statuses = [401]
    hooked.emulator.faults.add("webhook_bad_signature")
    hooked.emulator.force(hooked.create(IMAGE, image_body)["id"], "rendering")
    attempts(hooked, 1)
    hooked.emulator.clock.advance(6)
    receiver.wait(2)
    assert receiver.genuine == [False, True]


def test_an_event_held_back_is_released_when_nothing_can_follow(hooked, receiver, image_body):
    hooked.emulator.faults.add("webhook_reordered")
    job_id = hooked.create(IMAGE, image_body)["id"]
    hooked.emulator.force(job_id, "rendering")
    assert hooked.emulator.deliveries == ()
    hooked.emulator.force(job_id, "canceled")
    assert receiver.wait(1) == ["image.started"]


@pytest.mark.parametrize(
    ("url", "secret", "message"),
    [
        ("http://192.0.2.1/", "s", "192.0.2.1 is not on the loopback interface.*use a server on this machine"),
        ("http://[2001:db8::1]/", "s", "not on the loopback interface"),
        ("https://127.0.0.1/", "s", "must be a URL such as"),
        ("http://user@127.0.0.1/", "s", "without user"),
        ("http:///hook", "s", "must be a URL"),
        ("http://127.0.0.1:99999/", "s", "Port out of range"),
        ("http://127.0.0.1/", "", "webhook_secret is missing"),
    ],
)
def test_targets_that_are_refused(api, url, secret, message):
    with pytest.raises(ValueError, match=message):
        Emulator(webhook=url, webhook_secret=secret)
    refused = httpx.post(f"{api.emulator.url}/_emulator/webhooks", json={"url": url, "secret": secret})
    assert refused.status_code == 422


def test_a_secret_alone_is_refused():
    with pytest.raises(ValueError, match="pass webhook too"):
        Emulator(webhook_secret=SECRET)


def test_a_name_is_looked_up_again_for_every_connection(hooked, receiver, image_body, monkeypatch):
    job_id = hooked.create(IMAGE, image_body)["id"]

    def elsewhere(*_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

    with monkeypatch.context() as patched:
        patched.setattr(_webhook_targets.socket, "getaddrinfo", elsewhere)
        with pytest.raises(ValueError, match=r"rebound\.test is not on the loopback interface"):
            parse_webhook("http://rebound.test/", "s")
        hooked.emulator.force(job_id, "rendering")
        attempts(hooked, 1)
    (attempt,) = hooked.emulator.deliveries
    assert attempt.status is None
    assert "not on the loopback interface" in attempt.problem
    assert receiver.events == []


def test_controls_add_list_and_remove(api, receiver, image_body):
    controls = f"{api.emulator.url}/_emulator/webhooks"
    waiting = api.create(IMAGE, image_body)["id"]
    assert httpx.post(controls, json={"url": receiver.url, "secret": SECRET}).status_code == 201
    assert httpx.get(controls).json() == {"webhooks": [receiver.url]}
    api.emulator.clock.advance(10)
    assert receiver.wait(2) == ["image.started", "image.completed"]
    assert {event["payload"]["id"] for event in receiver.events} == {waiting}
    assert httpx.delete(controls, params={"url": "http://127.0.0.1/none"}).status_code == 404
    assert httpx.delete(controls).status_code == 204
    assert httpx.get(controls).json() == {"webhooks": []}
    api.emulator.reset()
    assert api.emulator.deliveries == ()


def test_leaving_ends_the_thread_even_while_a_target_does_not_answer(receiver, image_body, start):
    receiver.go_on.clear()
    before = set(threading.enumerate())
    with start(webhook=receiver.url, webhook_secret=SECRET) as api:
        api.emulator.force(api.create(IMAGE, image_body)["id"], "rendering")
        receiver.wait(1)
    assert set(threading.enumerate()) <= before


def test_the_events_are_those_of_the_contract():
    contract = load_contract()
    kinds = {each.kind for each in contract.operations if each.step == "create" and each.emulation.outputs is None}
    assert {f"{kind}.{event}" for kind in kinds for event in EVENTS.values()} == set(contract.events)
    assert {fault.kind for fault in matrix([WEBHOOK])} == {
        f"webhook_{name}" for name in ("duplicate", "reordered", "late", "lost", "bad_signature")
    }
