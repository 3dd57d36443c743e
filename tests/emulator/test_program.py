"""Starting and stopping: the context manager, the program, the loopback rule, and what remains after a stop."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from itertools import takewhile
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import httpx
import pytest

import magic_hour_emulator
from magic_hour_emulator import Emulator, samples
from magic_hour_emulator._recorder import RecordedRequest
from magic_hour_emulator._request_lines import RequestLines
from magic_hour_emulator._server import listen
from programs import python
from servers import LIMIT_SECONDS, wait_until

PACKAGES = Path(magic_hour_emulator.__file__).parents[1]


def run(*arguments):
    """Start the program with the emulator importable, however this test was started."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGES), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-W", "error", "-m", "magic_hour_emulator", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def exported(program):
    """The URL and the key that it prints once it is ready."""
    lines = iter(program.stdout.readline, "")
    found = dict(re.findall(r"export MAGIC_HOUR_(\w+)=(\S+)", "".join(takewhile(lambda x: x[:7] != "ledger:", lines))))
    return found["BASE_URL"], found["API_KEY"]


def ended(program):
    """The rest of both streams, and the exit code."""
    output, errors = program.communicate(timeout=LIMIT_SECONDS)
    return program.returncode, output, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_prints_what_to_export_and_ends_cleanly(number):
    with run("--port", "0", "--token", "mhk_mine", "--credits", "7", "--polls", "1") as program:
        url, token = exported(program)
        body = {"image_count": 1, "style": {"prompt": "x"}}
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            job_id = client.post("/v1/ai-image-generator", json=body).json()["id"]
            download = client.get(f"/v1/image-projects/{job_id}").json()["downloads"][0]["url"]
            assert httpx.get(download).status_code == 200
            assert client.post("/v1/ai-image-generator", json=body).status_code == 402
        program.send_signal(number)
        code, _, errors = ended(program)
    assert (code, errors, token) == (0, "", "mhk_mine")


def test_each_request_is_a_line_without_secrets():
    with run("--port", "0", "--polls", "1") as program:
        url, token = exported(program)
        headers = {"Authorization": f"Bearer {token}"}
        httpx.post(f"{url}/_emulator/faults", json={"kind": "status", "on": "create"}).raise_for_status()
        body = {"image_count": 1, "style": {"prompt": "x"}}
        job = [httpx.post(f"{url}/v1/ai-image-generator", json=body, headers=headers) for _ in range(2)][1].json()["id"]
        download = httpx.get(f"{url}/v1/image-projects/{job}", headers=headers).json()["downloads"][0]["url"]
        httpx.get(download)
        httpx.get(f"{url}/v1/%1b[31m%0a%e2%80%ae?signature=1")
        httpx.get(f"{url}/")
        program.send_signal(signal.SIGINT)
        code, output, errors = ended(program)
    lines = sorted(re.sub(r"\d+ ms", "N ms", line) for line in output.splitlines())  # of two servers, in any order
    assert (code, errors) == (0, "")
    assert lines == sorted([
        "POST   /v1/ai-image-generator 500 N ms fault=status",
        "POST   /v1/ai-image-generator 200 N ms",
        f"GET    /v1/image-projects/{job} 200 N ms",
        f"GET    storage:/{job}/output.png 200 N ms",
        r"GET    /v1/\x1b[31m\n\u202e 404 N ms",
    ])  # fmt: skip
    with run("--port", "0", "--quiet") as program:
        url, _ = exported(program)
        httpx.get(f"{url}/v1/nothing")
        program.send_signal(signal.SIGINT)
        assert ended(program) == (0, "", "")


def test_lines_that_nobody_reads_delay_nothing():
    """As if the emulator were started with a pipe that nobody reads."""
    reading, writing = os.pipe()
    request = RecordedRequest("api", "GET", "/" + "x" * 1000, {}, "right", 0.0, status=200, seconds=0.1)
    with RequestLines(writing) as lines:
        for _ in range(5000):
            lines.add(request)
    os.close(reading)
    os.close(writing)


def test_the_logging_of_the_process_is_left_alone():
    """Otherwise each server sets the levels, and one that starts later logs in the middle of a quiet program."""
    logger = logging.getLogger("uvicorn")
    before = logger.level
    logger.setLevel(41)
    try:
        with Emulator(seed=0):
            assert logger.level == 41
    finally:
        logger.setLevel(before)


def test_the_program_ends_quietly_in_the_middle_of_an_upload():
    with run("--port", "0") as program:
        url, token = exported(program)
        body = {"items": [{"type": "image", "extension": "png"}]}
        headers = {"Authorization": f"Bearer {token}"}
        slot = httpx.post(f"{url}/v1/files/upload-urls", json=body, headers=headers).json()["items"][0]
        place = urlsplit(slot["upload_url"])
        with socket.create_connection((place.hostname, place.port)) as connection:
            head = f"PUT {place.path}?{place.query} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 9\r\n"
            connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
            assert b"100 Continue" in connection.recv(100)  # it is waiting for the body
            program.send_signal(signal.SIGINT)
            code, _, errors = ended(program)
            assert connection.recv(100) == b""
    assert (code, errors) == (0, "")


def test_a_port_in_use_is_said_and_ends_the_program():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with run("--port", str(taken.getsockname()[1])) as program:
            code, output, errors = ended(program)
    assert (code, output) == (2, "")
    assert errors.startswith("magic-hour-emulator: ")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version(option):
    with run(option) as program:
        code, output, errors = ended(program)
    assert (code, errors) == (0, "")
    assert "--storage-port" in output if option == "--help" else magic_hour_emulator.__version__ in output


def test_importing_the_package_loads_no_server():
    code = "import sys, magic_hour_emulator; print([m for m in ('starlette', 'av', 'PIL', 'yaml') if m in sys.modules])"
    assert python("-c", code, variables={"PYTHONPATH": str(PACKAGES)}).stdout == "[]\n"
    with pytest.raises(AttributeError, match="Emulators"):
        _ = magic_hour_emulator.Emulators


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])  # noqa: S104  # must be refused
def test_only_the_loopback_interface(host):
    with pytest.raises(ValueError, match="loopback"):
        Emulator(host=host)


@pytest.mark.parametrize(
    "options", [{"speed": 0}, {"polls_to_complete": 0}, {"durations": {"ai-nothing": 1.0}}, {"speed": float("nan")}]
)
def test_options_that_cannot_be(options):
    with pytest.raises(ValueError, match=r"must be|no such resource"), Emulator(**options):
        pass


class _Taken(socket.socket):
    """A socket that records its options."""

    options: ClassVar[list[int]] = []

    def setsockopt(self, level, option, value):
        self.options.append(option)


@pytest.mark.parametrize("windows", [False, True])
def test_a_port_is_never_shared(monkeypatch, windows):
    """On Windows, SO_REUSEADDR would let a second emulator listen on the port of the first."""
    monkeypatch.setattr(_Taken, "options", [])
    monkeypatch.setattr(socket, "socket", _Taken)
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", -5, raising=False)
    if not windows:
        monkeypatch.delattr(socket, "SO_EXCLUSIVEADDRUSE")
    listen("127.0.0.1", 0).close()
    assert _Taken.options == [-5 if windows else socket.SO_REUSEADDR]


def test_it_stops_quickly_and_leaves_nothing(talking_body, tmp_path, monkeypatch, held_frames):
    """Even while a video is being rendered and an idle connection is open."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = set(threading.enumerate())
    emulator = Emulator(frozen=True)
    with httpx.Client(headers={"Authorization": f"Bearer {emulator.token}"}) as client, emulator:
        body = {**talking_body, "end_seconds": 20}
        job_id = client.post(f"{emulator.url}/v1/ai-talking-photo", json=body).json()["id"]
        emulator.clock.advance(10)
        url = client.get(f"{emulator.url}/v1/video-projects/{job_id}").json()["download"]["url"]
        drawn = held_frames(emulator.jobs[0], tmp_path)
        answers = []
        download = threading.Thread(target=lambda: answers.append(_outcome(url)))
        download.start()
        wait_until(lambda: drawn)
        began = time.monotonic()
    took = time.monotonic() - began
    download.join()
    assert took < LIMIT_SECONDS / 2
    assert len(drawn) == 1
    assert answers[0] in (404, "cut")
    assert list(tmp_path.iterdir()) == []
    for thread in set(threading.enumerate()) - threads:
        thread.join(LIMIT_SECONDS)  # workers that are just ending
        assert not thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{emulator.url}/_emulator/health")
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.ledger


def _outcome(url):
    try:
        return httpx.get(url, timeout=LIMIT_SECONDS).status_code
    except httpx.HTTPError:
        return "cut"


def test_an_emulator_can_be_started_again():
    emulator = Emulator(host="localhost", frozen=True)
    for _ in range(2):
        with emulator:
            with pytest.raises(RuntimeError, match="already running"):
                emulator.__enter__()
            assert httpx.get(f"{emulator.url}/_emulator/health").status_code == 200
            assert emulator.faults.pending == ()
            emulator.faults.add("reset")
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.faults


def test_samples_are_small_real_files():
    assert samples.portrait().read_bytes()[:3] == b"\xff\xd8\xff"
    assert 20_000 < samples.portrait().stat().st_size < 80_000
    assert 10_000 < samples.voice().stat().st_size < 80_000
    readme = (samples.portrait().parent / "README.md").read_text(encoding="utf-8")
    assert all(name in readme for name in ("portrait.jpg", "voice.mp3"))
