"""A service that sends hostile text: no control character reaches the terminal, and no id of a paid job is lost."""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import Run
from magic_hour_client._runtime.redaction import escaped
from magic_hour_workflows.cli import main
from magic_hour_workflows.cli.printing import to_stderr, to_stdout
from servers import read_request, serving

BAD = "\x1b]0;owned\x07\x1b[31mred\r\n\x9b2J\u202egnp\u2066\u2028\x7f\ud800"
"""Window title, colour, a faked line, a C1 control, marks of direction, a line separator, half a character."""
ID = "job\x9b31m\u202e-1"
"""An id that a path can hold, and a terminal obeys."""
UNUSABLE = "\ud800x"
"""An id of a paid job by which nothing can be asked."""
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
GENERATE = ("image", "generate", "--image-count", "1", "--prompt", "A red fox")


class Service:
    """Answers what the test sets."""

    def __init__(self) -> None:
        self.id = ID
        self.status = "complete"
        self.refusal: int | None = None
        self.credits: Any = 5
        self.downloads: list[dict[str, Any]] = []
        self.creates = 0

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        if self.refusal is not None:
            return self.refusal, {"code": BAD, "message": BAD}
        if path == "/v1/files/upload-urls":
            place = {"upload_url": f"{self.url}/put", "expires_at": BAD, "file_path": f"image/{BAD}.png"}
            return 200, {"items": [place]}
        if method == "POST":
            self.creates += 1
            return 200, {"id": self.id, "credits_charged": self.credits, "frame_cost": 5}
        if method in ("PUT", "DELETE"):
            return 200 if method == "PUT" else 204, None
        project = dict.fromkeys(("name", "type", "created_at", "mood"), BAD)
        more = {"status": self.status, "enabled": True, "credits_charged": self.credits, "downloads": self.downloads}
        return 200, {"id": self.id, **project, **more, "error": {"code": BAD, "message": BAD}, BAD: BAD}

    url = ""


@pytest.fixture
def service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = Service()

    def behave(connection: socket.socket, request: bytes) -> None:
        method, path, *_ = request.decode("latin-1").split(" ")
        status, body = service.answer(method, path)
        content = b"" if body is None else json.dumps(body).encode()
        head = "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.format(status, len(content)).encode() + content)

    with serving(behave, read=read_request) as server:
        service.url = server.url
        monkeypatch.setenv("MAGIC_HOUR_BASE_URL", server.url)
        yield service


def obeyed(text: str) -> set[str]:
    """The control characters in a text, except line breaks. Does not use the function under test."""
    return {c for c in text if (unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in BIDI) and c != "\n"}


COMMANDS: dict[str, tuple[str, ...]] = {
    "generate": (*GENERATE, "--no-wait"),
    "generate, quietly": (*GENERATE, "--no-wait", "--quiet"),
    "generate, with a log": (*GENERATE, "--no-download", "--verbose", "--debug"),
    "get": ("image", "get", ID),
    "get a video": ("video", "get", ID),
    "wait": ("image", "wait", ID, "--no-download", "--verbose"),
    "wait, with little time": ("image", "wait", ID, "--timeout", "0.2", "--verbose"),
    "download": ("image", "download", ID, "--debug", "--timeout", "0.3"),
    "delete": ("image", "delete", ID, "--yes"),
    "upload": ("files", "upload", "portrait.jpg", "--verbose"),
    "what nobody types": ("image", BAD[:-1]),
    "an id that is none": ("image", "get", BAD[:-1]),
    "a dry run": (*GENERATE, "--model", "x\x1b[31m", "--dry-run"),
}


ASKING = ("generate, with a log", "get", "wait", "download")
"""The commands that are told a status."""


@pytest.mark.parametrize(
    ("name", "status"),
    [*((name, "complete") for name in COMMANDS), *((name, status) for name in ASKING for status in ("error", BAD))],
)
def test_nothing_that_a_terminal_obeys(run: Run, service: Service, name: str, status: str) -> None:
    service.status = status
    service.downloads = [{"url": f"{service.url}/{BAD}.png", "expires_at": BAD}]
    timeout = ("--timeout", "0.2") if name in ("generate, with a log", "wait") else ()
    ended = run(*COMMANDS[name], *timeout)
    assert not obeyed(ended.out + ended.err), (ended.out, ended.err)
    assert "\nowned" not in ended.err


@pytest.mark.parametrize("name", ["generate", "get", "an id that is none"])
def test_json_is_one_line_of_ascii(run: Run, service: Service, name: str) -> None:
    ended = run(*COMMANDS[name], "--format", "json")
    assert ended.out.isascii()
    assert not obeyed(ended.out + ended.err)
    assert len(ended.out.splitlines()) == 1
    assert ended.json


@pytest.mark.parametrize("refusal", [401, 422])
def test_a_refusal(run: Run, service: Service, refusal: int) -> None:
    service.refusal = refusal
    ended = run(*GENERATE, "--timeout", "1")
    assert not obeyed(ended.out + ended.err)
    assert str(refusal) in ended.err


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("more", [(), ("--no-wait",), ("--quiet",)], ids=str)
def test_an_unusable_id_of_a_paid_job_is_told(run: Run, service: Service, more: tuple[str, ...], format: str) -> None:
    """Once, both streams were empty: the id could not be encoded, and the error was dropped with it."""
    service.id = UNUSABLE
    ended = run(*GENERATE, *more, "--format", format)
    assert r"\ud800x" in ended.err
    assert "accepted" in ended.err
    assert ended.code == (0 if "--no-wait" in more else 1)
    if "--no-wait" in more:
        assert ended.out
    if format == "json":
        assert (ended.json if ended.code == 0 else ended.error)["id" if ended.code == 0 else "project_id"] == UNUSABLE
    assert service.creates == 1


@pytest.mark.parametrize("credits", [float("nan"), float("inf"), -1e300, 10**30, -5])
def test_impossible_credits_are_unknown_and_the_json_is_json(run: Run, service: Service, credits: float) -> None:
    service.credits = credits
    for command in (("image", "get", "job-1"), (*GENERATE, "--no-wait")):
        service.id = "job-1"
        out = run(*command, "--format", "json").out
        assert json.loads(out, parse_constant=pytest.fail)["credits_charged"] is None
    assert "credits" not in run(*GENERATE, "--no-wait").err


def test_a_batch(run: Run, service: Service, folder: Path) -> None:
    rows = [{"key": key, "endpoint": "ai_image_generator", "image_count": 1, "style": {"prompt": "a"}} for key in "ab"]
    (folder / "foxes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    service.status = "error"
    commands = [
        ("run", "foxes.jsonl", "--output", "out"),
        ("status", "foxes.jsonl"),
        ("report", "foxes.jsonl"),
    ]
    for command in commands:
        ended = run("batch", *command)
        assert ended.code != 2, ended.err
        assert not obeyed(ended.out + ended.err), (command, ended)
    files = {name: (folder / "out" / name).read_text("utf-8-sig") for name in ("results.csv", "results.jsonl")}
    files["report.html"] = (folder / "out" / "report.html").read_text("utf-8")
    for name, text in files.items():
        assert not obeyed(text), name
    assert service.creates == 2


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape", "backslashreplace"])
def test_what_a_stream_cannot_say_is_said_by_its_escape(
    monkeypatch: pytest.MonkeyPatch, encoding: str, errors: str
) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    to_stdout("id \ud800x ✓")
    to_stderr("id \ud800x ✓")
    for stream in streams:
        text = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
        assert text in (f"id {mark}\n" for mark in (r"\ud800x ✓", r"\ud800x \u2713"))


def test_logging_of_a_program_that_uses_the_library(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "magic_hour_workflows"):
        main([*GENERATE, "--no-wait"])
    assert any(escaped(ID) in record.getMessage() for record in caplog.records)
    assert not any(obeyed(record.getMessage()) for record in caplog.records)
