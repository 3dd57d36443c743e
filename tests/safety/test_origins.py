"""The API key goes to the API's own origin, over HTTPS or to this machine, and nowhere else."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from magic_hour_client.errors import InvalidArgument, MagicHourError
from magic_hour_emulator import Emulator
from magic_hour_workflows import AsyncClient, Client
from magic_hour_workflows._backend import Backend
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows.errors import DownloadFailed, TransferFailed, UploadFailed
from servers import serving
from worlds import World, ignore_bytes

pytestmark = pytest.mark.usefixtures("small_pictures")
Options = dict[str, Any]


def headshot(client: Any, portrait: Path, directory: Path) -> Any:
    assets = {"image_file_path": portrait}
    return client.v1.ai_headshot_generator.generate(assets=assets, download_directory=directory, timeout=3)


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("step", ["upload-urls", "put", "create", "get", "download"])
def test_no_redirect_takes_the_key_along(
    world: World, options: Options, emulator: Emulator, portrait: Path, tmp_path: Path, step: str, status: int
) -> None:
    emulator.faults.add("redirect", on=step, status=status, to="other")
    with_key = {"api": "right", "storage": "absent"}
    try:
        world.call(lambda client: headshot(client, portrait, tmp_path), **options)
    except MagicHourError:
        assert step != "download", "storage may redirect downloads"
    assert emulator.faults.fired
    assert emulator.requests
    for request in emulator.requests:
        assert request.authorization == with_key[request.origin], request
        assert request.origin == "api" or not request.path.startswith("/v1/"), "the API's redirects are not followed"


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_what_the_callers_own_http_client_adds_stays_away_from_storage(
    options: Options, emulator: Emulator, portrait: Path, tmp_path: Path, sync: bool
) -> None:
    """A client with redirects, authentication and its own headers."""
    emulator.faults.add("redirect", on="download", to="other")
    own: Options = {"follow_redirects": True, "auth": ("user", "canary"), "headers": {"Authorization": "canary"}}

    async def main() -> None:
        async with httpx.AsyncClient(**own) as http, AsyncClient(http_client=http, **options) as client:
            await headshot(client, portrait, tmp_path)

    if sync:
        with httpx.Client(**own) as http, Client(http_client=http, **options) as client:
            headshot(client, portrait, tmp_path)
    else:
        import anyio

        anyio.run(main)
    verdicts = {(request.origin, request.authorization) for request in emulator.requests}
    assert verdicts == {("api", "right"), ("storage", "absent")}


@pytest.mark.parametrize("maker", [Client, AsyncClient])
@pytest.mark.parametrize(
    "url", ["http://api.example", "http://127.0.0.1.example", "http://10.0.0.1", "HTTP://a.example"]
)
def test_the_key_does_not_travel_in_the_clear(maker: Any, url: str) -> None:
    with pytest.raises(InvalidArgument, match="in the clear"):
        maker(token="mhk_canary", base_url=url)


@pytest.mark.parametrize(
    ("step", "field", "error"),
    [("upload-urls", "items.*.upload_url", UploadFailed), ("get", "downloads.*.url", DownloadFailed)],
)
def test_files_do_not_travel_in_the_clear(
    world: World,
    options: Options,
    emulator: Emulator,
    portrait: Path,
    tmp_path: Path,
    step: str,
    field: str,
    error: type[MagicHourError],
) -> None:
    emulator.faults.add("wrong_field", on=step, field=field, value="http://storage.invalid/a.png?s=1", times=None)
    with pytest.raises(error, match=r"a plain http:// URL on storage.invalid") as caught:
        world.call(lambda client: headshot(client, portrait, tmp_path), **options)
    assert "s=1" not in str(caught.value)


@pytest.mark.parametrize("place", ["http://storage.invalid/a.png", "//storage.invalid/a.png", "ftp://127.0.0.1/a.png"])
def test_no_redirect_leads_into_the_clear(world: World, tmp_path: Path, place: str) -> None:
    def behave(connection: socket.socket, head: bytes) -> None:
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())

    async def use(backend: Backend) -> None:
        with pytest.raises(TransferFailed, match="URL"):
            await backend.fetch(server.url, PartialDownload(tmp_path, "a", ".png"), backend.now() + 9, ignore_bytes)

    with serving(behave) as server:
        world.with_backend(use)
