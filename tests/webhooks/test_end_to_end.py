"""An inbox behind a real HTTP server, called by the emulator as the service would call it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from magic_hour_emulator import Emulator
from magic_hour_workflows import Client
from magic_hour_workflows._flows import events as flow
from magic_hour_workflows.webhooks import Inbox
from webhook_events import SECRET

BODY = {"image_count": 1, "style": {"prompt": "A red fox"}, "download_outputs": False}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(SECRET) as inbox:
        yield inbox


@pytest.fixture
def hooked(inbox: Inbox) -> Iterator[Emulator]:
    """The emulator, which sends its events to the inbox."""
    with make_server("127.0.0.1", 0, inbox.wsgi, handler_class=Quiet) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}/webhooks"
        try:
            with Emulator(speed=50, webhook=url, webhook_secret=SECRET, seed=3) as emulator:
                yield emulator
        finally:
            server.shutdown()
            serving.join()


def test_jobs_end_with_their_events_whatever_happens_to_them(
    hooked: Emulator, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "_FIRST_SECONDS", 2.0)  # the first poll for safety, for events that are lost
    called: Counter[tuple[str | None, str]] = Counter()
    inbox.on("*.completed")(lambda event: called.update([(event.id, event.type)]))
    for kind in ("webhook_duplicate", "webhook_reordered", "webhook_bad_signature"):
        hooked.faults.add(kind, times=2)
    hooked.faults.add("webhook_lost", on="image.completed", times=1)
    with Client(token=hooked.token, base_url=hooked.url, inbox=inbox) as client, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: client.v1.ai_image_generator.generate(**BODY), range(8)))
    assert [result.status for result in results] == ["complete"] * 8
    assert set(called.values()) == {1}
    assert {id for id, _ in called} <= {result.id for result in results}


def test_a_create_without_an_answer_is_found_by_its_event(hooked: Emulator, inbox: Inbox) -> None:
    hooked.faults.add("reset", on="create", phase="after")
    with Client(token=hooked.token, base_url=hooked.url, inbox=inbox) as client:
        result = client.v1.ai_image_generator.generate(**BODY)
    [create] = hooked.ledger.creates
    assert (result.id, result.status) == (create.id, "complete")
