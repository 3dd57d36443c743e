"""The inbox as an ASGI and as a WSGI application: statuses, limits, and nothing that helps a forger."""

from __future__ import annotations

import io
import logging
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anyio
import httpx
import pytest

from magic_hour_workflows.webhooks import Inbox, sign
from magic_hour_workflows.webhooks import _gateways as gateways
from webhook_events import SECRET, event_body

BODY = event_body()
SIDES = ("asgi", "wsgi")


def call(side: str, inbox: Inbox, body: bytes = BODY, headers: Any = None, method: str = "POST") -> httpx.Response:
    """The answer of one side to a request."""
    given = sign(body, SECRET) if headers is None else headers
    if side == "asgi":

        async def main() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(inbox.asgi), base_url="http://app") as client:
                return await client.request(method, "/webhooks", content=body, headers=given)

        return anyio.run(main)
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "QUERY_STRING": ""}
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in given.items()}
    setup_testing_defaults(environ)
    started: list[Any] = []
    application = validator(inbox.wsgi)
    answer = application(environ, lambda status, headers, *_: started.extend((status, headers)))  # type: ignore[arg-type]
    content = b"".join(answer)
    answer.close()  # type: ignore[attr-defined]
    return httpx.Response(int(started[0].split()[0]), headers=started[1], content=content)


@pytest.mark.parametrize("side", SIDES)
def test_an_event_is_received(side: str) -> None:
    called: list[str | None] = []
    with Inbox(SECRET) as inbox:
        inbox.on("*")(lambda event: called.append(event.id))
        answers = [call(side, inbox) for _ in range(2)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 2
    assert called == ["job-1"]


@pytest.mark.parametrize("side", SIDES)
def test_all_that_is_not_proved_has_the_same_answer(side: str, caplog: pytest.LogCaptureFixture) -> None:
    inbox = Inbox(SECRET)
    forgeries: list[Any] = [{}, sign(BODY, SECRET, 0), sign(BODY, "whsec_other"), sign(BODY + b" ", SECRET)]
    with caplog.at_level(logging.INFO):
        answers = [call(side, inbox, headers=headers) for headers in forgeries]
    assert {(each.status_code, each.content) for each in answers} == {(401, b"")}
    assert len({tuple(each.headers.items()) for each in answers}) == 1
    assert caplog.text.count("the webhook request was refused") == 4
    assert SECRET not in caplog.text


@pytest.mark.parametrize("side", SIDES)
def test_other_answers(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox(SECRET)
    assert call(side, inbox, b"[]").status_code == 400
    wrong = call(side, inbox, method="GET")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    monkeypatch.setattr(gateways, "MOST_BYTES", len(BODY))
    assert call(side, inbox).status_code == 200
    assert call(side, inbox, BODY + b" ").status_code == 413
    inbox.close()
    assert call(side, inbox, event_body(id="2")).status_code == 503


def test_wsgi_needs_a_length() -> None:
    statuses: list[str] = []
    for length, status in [(None, "411"), ("", "411"), ("-1", "411"), ("²", "411"), ("9" * 5000, "413")]:
        environ = {"REQUEST_METHOD": "POST"} | ({} if length is None else {"CONTENT_LENGTH": length})
        Inbox(SECRET).wsgi(environ, lambda status, headers: statuses.append(status))
        assert statuses.pop().startswith(status)


def test_asgi_stops_reading_where_the_limit_is_and_when_the_sender_leaves() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    def receiving(*messages: Any) -> Any:
        waiting = list(messages)

        async def receive() -> Any:
            return waiting.pop(0)

        return receive

    scope = {"type": "http", "method": "POST", "headers": []}
    chunk = {"type": "http.request", "body": bytes(gateways.MOST_BYTES // 2 + 1), "more_body": True}
    anyio.run(Inbox(SECRET).asgi, scope, receiving(chunk, chunk), send)
    anyio.run(Inbox(SECRET).asgi, scope, receiving(chunk, {"type": "http.disconnect"}), send)
    assert [message["status"] for message in sent if "status" in message] == [413, 400]
    with pytest.raises(RuntimeError, match="HTTP"):
        anyio.run(Inbox(SECRET).asgi, {"type": "websocket"}, receiving(), send)


def test_asgi_as_a_whole_application_closes_the_inbox() -> None:
    sent: list[str] = []

    async def main() -> None:
        messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await inbox.asgi({"type": "lifespan"}, receive, send)

    inbox = Inbox(SECRET)
    anyio.run(main)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert call("asgi", inbox).status_code == 503
