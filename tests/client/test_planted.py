"""A server that repeats the key wherever an answer has room for it: no log at any level, and no error, shows it."""

import logging
import traceback

import httpx
import pytest

from client.harness import KEY, Either, create, get, server
from magic_hour_client import MagicHourError
from servers import says

ANSWERS = {
    "header": f"HTTP/1.1 200 OK\r\nx-echo: {KEY}\r\ncontent-length: 2\r\n\r\n{{}}",
    "header name": f"HTTP/1.1 200 OK\r\n{KEY}: x\r\ncontent-length: 2\r\n\r\n{{}}",
    "Location": f"HTTP/1.1 302 Found\r\nlocation: https://x.example/{KEY}?sig={KEY}\r\ncontent-length: 0\r\n\r\n",
    "reason": f"HTTP/1.1 200 {KEY}\r\ncontent-length: 2\r\n\r\n{{}}",
    "reason of a refusal": f"HTTP/1.1 402 {KEY}\r\ncontent-length: 0\r\n\r\n",
    "status line": f"HTTP/1.1 {KEY}\r\n\r\n",
    "version": f"{KEY} 200 OK\r\n\r\n",
    "illegal header": f"HTTP/1.1 200 OK\r\nbad header {KEY}\r\n\r\n",
    "illegal header value": f"HTTP/1.1 200 OK\r\nx: \0{KEY}\r\n\r\n",
    "content-length": f"HTTP/1.1 200 OK\r\ncontent-length: {KEY}\r\n\r\n",
    "retry-after": f"HTTP/1.1 429 Slow\r\nretry-after: {KEY}\r\ncontent-length: 0\r\n\r\n",
    "transfer-encoding": f"HTTP/1.1 200 OK\r\ntransfer-encoding: {KEY}\r\n\r\n",
    "chunk": f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{KEY}\r\n",
    "content-encoding": f"HTTP/1.1 200 OK\r\ncontent-encoding: {KEY}\r\ncontent-length: 2\r\n\r\n{{}}",
    "cookie": f"HTTP/1.1 200 OK\r\nset-cookie: a={KEY}\r\ncontent-length: 2\r\n\r\n{{}}",
    "message": f'HTTP/1.1 400 Bad\r\ncontent-length: 41\r\n\r\n{{"message": "{KEY} x"}}   ',
    "text": f"HTTP/1.1 200 OK\r\ncontent-length: {len(KEY)}\r\n\r\n{KEY}",
    "before the answer": f"{KEY}\r\nHTTP/1.1 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("where", ANSWERS)
def test_the_key_is_shown_nowhere(either: Either, where: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with server(says(ANSWERS[where].encode())) as running:
        for work in (create, get):
            try:
                shown = repr(either.call(work, base_url=running.url, request_timeout=5))
            except MagicHourError as error:
                shown = "".join(traceback.format_exception(error))
            assert KEY not in shown
            assert where != "status line" or "illegal status line" in shown
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    for record in caplog.records:
        assert KEY not in f"{record.getMessage()} {record.msg} {record.args!r} {record.exc_text}"


def test_logs_of_other_requests_are_left_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with server(says(ANSWERS["header"].encode())) as running, httpx.Client() as http:
        http.get(running.url)
    assert any(KEY in record.getMessage() for record in caplog.records)
