"""Conventions: what belongs to the caller stays untouched, and what the caller passes is used."""

from __future__ import annotations

import io
import mimetypes
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes import names_in
from magic_hour_emulator import Emulator
from magic_hour_workflows import InvalidArgument
from magic_hour_workflows._outputs import output_names
from magic_hour_workflows._results import Job
from magic_hour_workflows._sources import EXTENSIONS, checked_extension
from magic_hour_workflows.errors import DownloadFailed, MagicHourError, UploadFailed
from worlds import World

pytestmark = pytest.mark.usefixtures("small_pictures")
Options = dict[str, Any]


def headshot(client: Any, portrait: Path, **more: Any) -> Any:
    return client.v1.ai_headshot_generator.generate(assets={"image_file_path": portrait}, **more)


def test_an_http_client_of_the_callers_carries_every_request(
    world: World, options: Options, emulator: Emulator, portrait: Path, tmp_path: Path
) -> None:
    """Including uploads and downloads: the client may have a proxy or a certificate."""
    carried: list[tuple[str, str]] = []

    def note(request: httpx.Request) -> None:
        carried.append((request.method, request.url.path))

    async def anote(request: httpx.Request) -> None:
        note(request)

    def scenario(client: Any) -> Generator[Any, Any, Any]:
        yield headshot(client, portrait, download_directory=tmp_path)
        open_still = not http.is_closed
        yield (http.aclose if world.is_async else http.close)()
        return open_still

    kind: Any = httpx.AsyncClient if world.is_async else httpx.Client
    http = kind(event_hooks={"request": [anote if world.is_async else note]})
    assert world.run(scenario, **options, http_client=http)
    assert carried == [(request.method, request.path) for request in emulator.requests]
    assert {request.origin for request in emulator.requests} == {"api", "storage"}


@pytest.mark.parametrize(("step", "error"), [("put", UploadFailed), ("download", DownloadFailed)])
def test_the_timeout_bounds_transfers_too(
    world: World, options: Options, emulator: Emulator, portrait: Path, tmp_path: Path, step: str, error: Any
) -> None:
    """The storage accepts the connection and never responds."""
    for timeout in (1, 10, 60):  # longer, if a busy machine did not reach that step in time
        emulator.reset()
        emulator.faults.add("hang", on=step, times=None)
        with pytest.raises(MagicHourError) as caught:
            world.call(
                lambda client: headshot(client, portrait, download_directory=tmp_path, timeout=timeout),  # noqa: B023
                **options,
            )
        if emulator.faults.fired:
            break
    assert isinstance(caught.value, error)
    creates = [create.id for create in emulator.ledger.creates]
    assert creates == ([] if step == "put" else [caught.value.project_id])
    assert names_in(tmp_path) == []


def test_types_are_told_by_our_own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent of the system's table of MIME types, which differs between machines."""

    def ask(*_: object, **__: object) -> None:
        raise AssertionError("used the table of the system")

    for name in ("guess_type", "guess_extension", "guess_all_extensions"):
        monkeypatch.setattr(mimetypes, name, ask)
    for role, group in EXTENSIONS.items():
        for extension in group:
            assert checked_extension(f"a.{extension}", role, "file").extension == extension
    assert output_names(Job("image", "a"), ["https://s.example/output.webp?x=1"], None) == [("a-1", ".webp")]


FORMS = ["BytesIO", "bytes", "named temporary file", "temporary file", "spooled temporary file", "path in ~"]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_in_every_form_arrives_as_it_is(
    world: World, options: Options, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    content = bytes(range(256)) * 100
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.png").write_bytes(content)
    with (
        tempfile.NamedTemporaryFile(suffix=".png") as named,
        tempfile.TemporaryFile() as unnamed,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        for file in (named, unnamed, spooled):
            file.write(content)
            file.seek(0)
        values = [
            ("a.png", io.BytesIO(content)), ("a.png", content), named, ("a.png", unnamed), ("a.png", spooled), "~/a.png"
        ]  # fmt: skip
        value: Any = dict(zip(FORMS, values, strict=True))[form]
        path = world.call(lambda client: client.v1.files.upload_file(value), **options)
    assert emulator.uploaded(path).read_bytes() == content


def test_a_client_closes_what_it_opened(world: World, options: Options, emulator: Emulator) -> None:
    """`with` closes too; an open connection would be a ResourceWarning, which fails a test."""

    def scenario(client: Any) -> Generator[Any, Any, Any]:
        yield client.v1.files.upload_file(("a.png", b"bytes"))
        connections = [*client._transport._clients.values()]
        yield client.close()
        with pytest.raises(InvalidArgument, match="closed"):
            yield lambda: client.v1.files.upload_file(("a.png", b"bytes"))
        return connections

    connections = world.run(scenario, **options)
    assert connections
    assert all(connection.is_closed for connection in connections)
    assert len(emulator.requests.find(method="PUT")) == 1
