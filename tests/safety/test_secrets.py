"""The API key and the signatures of storage are never revealed, whatever goes wrong and whoever listens.

Rule: each case is a whole call with every logger at its lowest level, and shows first that it would notice a leak.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from magic_hour_client.errors import MagicHourError
from magic_hour_emulator import Emulator
from magic_hour_emulator.faults import Fault
from magic_hour_workflows._assets import to_source
from magic_hour_workflows._backend import Backend
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows.cli import main
from magic_hour_workflows.errors import TransferFailed
from safety.eavesdropping import Eavesdropper, eavesdropping
from servers import serving
from worlds import World, ignore_bytes

pytestmark = pytest.mark.usefixtures("small_pictures")
Options = dict[str, Any]
ECHO = "cannot read https://storage.example/a.png?signature=canary_of_the_service for mhk_test_canary"
FAULTS: dict[str, tuple[Fault, ...]] = {
    "nothing": (),
    "an upload is redirected": (Fault("redirect", on="put"),),
    "an upload is redirected elsewhere": (Fault("redirect", on="put", status=302, to="other"),),
    "a download is redirected": (Fault("redirect", on="download"),),
    "a download is redirected elsewhere": (Fault("redirect", on="download", status=302, to="other"),),
    "a download is redirected in circles": (Fault("redirect", on="download", times=None),),
    "everything is redirected elsewhere": (Fault("redirect", on="*", to="other", times=None),),
    "URLs have expired": (Fault("expired_url", on="put"), Fault("expired_url", on="download")),
    "uploads are refused": (Fault("status", on="put", status=403, message=ECHO, times=None),),
    "downloads are refused": (Fault("status", on="download", status=403, message=ECHO, times=None),),
    "connections are reset": (Fault("upload_reset", on="put"), Fault("reset", on="download")),
    "downloads are always reset": (Fault("reset", on="download", at_byte=100, phase="after", times=None),),
    "storage talks garbage": (Fault("garbage", on="put"), Fault("garbage", on="download", times=None)),
    "a download hangs": (Fault("hang", on="download", times=None),),
    "the key and a URL are echoed": (Fault("status", on="create", status=500, message=ECHO),),
    "the key and a URL are echoed by the job": (Fault("job_error", on="create", message=ECHO),),
    "the key is wrong": (Fault("status", on="upload-urls", status=403, message=ECHO),),
    "the answer to a create is lost": (Fault("reset", on="create", phase="after"),),
    "the answer is no JSON": (Fault("html", on="get"), Fault("truncated", on="get")),
    "a signed URL is no URL": (Fault("wrong_field", on="get", field="downloads.*.url", value=ECHO),),
}


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> Iterator[Eavesdropper]:
    with eavesdropping(monkeypatch, emulator.token, "canary_of_the_service") as ear:
        yield ear


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_whole_call(
    world: World,
    options: Options,
    emulator: Emulator,
    portrait: Path,
    tmp_path: Path,
    ear: Eavesdropper,
    capfd: pytest.CaptureFixture[str],
    faults: tuple[Fault, ...],
) -> None:
    for fault in faults:
        emulator.faults.add(fault)

    def scenario(client: Any) -> Generator[Any, Any, None]:
        ear.hear(client, client.v1, client.v1.ai_headshot_generator, vars(client))
        try:
            result = yield client.v1.ai_headshot_generator.generate(
                assets={"image_file_path": portrait}, download_directory=tmp_path, timeout=3, on_progress=ear.hear
            )
        except MagicHourError as error:
            ear.hear_error(error)
        else:
            ear.hear(result, result.project, result.project.downloads)

    world.run(scenario, **options)
    ear.hear_names(tmp_path)
    ear.hear(capfd.readouterr())
    assert len(emulator.faults.fired) >= len(faults), "every fault happened"
    assert {"httpx", "httpcore.connection", "httpcore.http11"} <= ear.loggers, "so this test can fail"
    assert len(ear.secrets) > 2 or emulator.faults.fired[0].fault.on in ("upload-urls", "*"), "signatures are known"
    assert ear.found() == []


class TestHostileStorage:
    """What the emulator does not do: storage that repeats the signature wherever it can."""

    SIGNED = "/a.png?signature=canary-signature"
    ANSWERS = {  # noqa: RUF012
        "location": "HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n",
        "relative location": "HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\n\r\n",
        "any header": "HTTP/1.1 404 Not Found\r\nX: GET {path}\r\nY: canary-signature\r\nContent-Length: 0\r\n\r\n",
        "reason": "HTTP/1.1 404 No such thing as {path} here\r\nContent-Length: 0\r\n\r\n",
        "body": "HTTP/1.1 404 Not Found\r\nContent-Length: 33\r\n\r\n{path}",
        "no status": "HTTP/1.1 Location: {url}\r\n\r\n",
        "no header": "HTTP/1.1 404 Not Found\r\n{url}\r\n\r\n",
        "no header, relative": "HTTP/1.1 404 Not Found\r\n{path}\r\n\r\n",
        "wrong length": "HTTP/1.1 200 OK\r\nContent-Length: {path}\r\n\r\n",
        "wrong encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: {path}\r\n\r\n",
        "wrong chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{path}\r\n",
    }

    @pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
    def test_it_is_not_repeated(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
    ) -> None:
        def behave(connection: socket.socket, head: bytes) -> None:
            connection.sendall(answer.format(url=server.url + self.SIGNED, path=self.SIGNED).encode())

        async def use(backend: Backend) -> None:
            await self.attempt(
                ear, lambda: backend.put(url, to_source(("a.png", b"x"), "image", "f"), backend.now() + 9, ignore_bytes)
            )
            target = PartialDownload(tmp_path, "a", ".png")
            await self.attempt(ear, lambda: backend.fetch(url, target, backend.now() + 9, ignore_bytes))
            target.discard()

        with serving(behave) as server, eavesdropping(monkeypatch, "canary-signature") as ear:
            url = server.url + self.SIGNED
            world.with_backend(use)
        assert any("Traceback" in text for text in ear.heard), "something failed"
        assert any("receive_response_headers" in text for text in ear.heard), "what happened is still told"
        assert ear.found() == []

    async def attempt(self, ear: Eavesdropper, transfer: Callable[[], Any]) -> None:
        try:
            await transfer()
        except MagicHourError as error:
            ear.hear_error(error)


def test_others_keep_their_logs(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Only transfers are silenced: not other requests, and not ours after the transfer."""

    def behave(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /b.png?page=2\r\nContent-Length: 0\r\n\r\n")

    async def use(backend: Backend) -> None:
        with pytest.raises(TransferFailed):
            await backend.put(server.url, to_source(("a.png", b"x"), "image", "f"), backend.now() + 9, ignore_bytes)

    caplog.set_level(logging.DEBUG)
    with serving(behave) as server:
        world.with_backend(use)
        httpx.get(server.url + "/a?page=1")
    assert caplog.text.count("/b.png?page=2") == 1
    assert "/a?page=1" in caplog.text


class TestCommands:
    """The command line at its most verbose."""

    @pytest.mark.parametrize(
        "fault",
        [None, *(FAULTS[name][-1] for name in ("a download is redirected elsewhere", "storage talks garbage"))]
        + [FAULTS[name][-1] for name in ("the key and a URL are echoed", "the key and a URL are echoed by the job")],
        ids=str,
    )
    def test_nothing_is_printed(
        self,
        fault: Fault | None,
        emulator: Emulator,
        portrait: Path,
        tmp_path: Path,
        ear: Eavesdropper,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if fault:
            emulator.faults.add(fault)
        monkeypatch.setenv("MAGIC_HOUR_API_KEY", emulator.token)
        monkeypatch.setenv("MAGIC_HOUR_BASE_URL", emulator.url)
        monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "0.02")
        command = f"image headshot --image {portrait} --output {tmp_path / 'out'} --timeout 3 --format json"
        code = main([*command.split(), "--verbose", "--debug"])
        printed = capfd.readouterr()
        ear.hear(*printed)
        ear.hear_names(tmp_path)
        assert re.search("^(INFO|WARNING) ", printed.err, re.MULTILINE), "so it was verbose"
        assert ("Traceback" in printed.err) == (code != 0), "and debugged"
        assert ear.found() == []
