"""Responses of the service are bounded in size and depth, both successes and refusals."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from magic_hour_client._runtime.bodies import MAX_ANSWER_BYTES
from magic_hour_client.api.v1_image_projects import get_image_project
from magic_hour_client.errors import MagicHourError, ServerError, UnexpectedResponse
from magic_hour_emulator import Emulator
from magic_hour_workflows._backend import Backend
from magic_hour_workflows.errors import SubmissionUnknown
from servers import serving
from worlds import World

pytestmark = pytest.mark.usefixtures("small_pictures")
MIB = 1024 * 1024
STATUSES = pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "500 Internal Server Error"])


def refusal(world: World, base_url: str) -> MagicHourError:
    async def use(backend: Backend) -> None:
        await backend.send(get_image_project.request(id="job-1"), backend.now() + 60)

    with pytest.raises(MagicHourError) as caught:
        world.with_backend(use, base_url)
    return caught.value


@STATUSES
def test_an_answer_without_end(world: World, status: str) -> None:
    """The client disconnects; beyond its limit, only the buffers of the sockets are filled."""
    sent = 0

    def behave(connection: socket.socket, head: bytes) -> None:
        nonlocal sent
        connection.sendall(f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        while sent < 4 * MAX_ANSWER_BYTES:
            connection.sendall(b"100000\r\n" + b" " * MIB + b"\r\n")
            sent += MIB

    with serving(behave) as server:
        error = refusal(world, server.url)
    assert isinstance(error, UnexpectedResponse)
    assert f"larger than {MAX_ANSWER_BYTES} bytes" in str(error)
    assert MAX_ANSWER_BYTES - MIB < sent < MAX_ANSWER_BYTES + 16 * MIB


@STATUSES
def test_an_answer_without_a_floor(world: World, status: str) -> None:
    def behave(connection: socket.socket, head: bytes) -> None:
        body = b'{"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    with serving(behave) as server:
        error = refusal(world, server.url)
    assert getattr(error, "status", None) == int(status[:3])
    assert len(str(error)) < 1000


def test_words_without_end_do_not_become_a_message_without_end(world: World) -> None:
    def behave(connection: socket.socket, head: bytes) -> None:
        body = json.dumps({"code": "c" * MIB, "message": "m" * MIB}).encode()
        connection.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with serving(behave) as server:
        error = refusal(world, server.url)
    assert isinstance(error, ServerError)
    assert len(repr(vars(error))) < 3000


@pytest.mark.parametrize("kind", ["huge_body", "deep_json"])
@pytest.mark.parametrize("step", ["upload-urls", "create", "get"])
def test_a_whole_call(
    world: World, options: dict[str, Any], emulator: Emulator, portrait: Path, tmp_path: Path, kind: str, step: str
) -> None:
    """Before the charge the call retries, at the charge the submission is unknown, after it the job is not lost."""
    emulator.faults.add(kind, on=step)

    def generate(client: Any) -> Any:
        assets = {"image_file_path": portrait}
        return client.v1.ai_headshot_generator.generate(assets=assets, download_directory=tmp_path, name="canary")

    if step == "create":
        with pytest.raises(SubmissionUnknown) as caught:
            world.call(generate, **options)
        assert caught.value.name == "canary"
    else:
        assert len(world.call(generate, **options).downloaded_paths) == 1
    assert [fired.fault.kind for fired in emulator.faults.fired] == [kind]
    assert len(emulator.ledger.creates) == 1
