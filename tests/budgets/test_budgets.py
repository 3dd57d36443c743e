"""What may be spent, counted and not timed: modules, requests, looks, connections, copies.

The benchmarks measure time; these numbers are what that time is made of, and hold on any machine.

Rule: a budget is what is needed today, with little room. Who needs more writes down here why.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from fakes import FakeBackend, call, project
from magic_hour_workflows import AsyncClient
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.wait import wait
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows._results import Job
from programs import python
from worlds import World

ROOT = Path(__file__).resolve().parents[2]
KEY = "mhk_budget"
STYLE = {"prompt": "A red fox"}


class Service:
    """The benchmarks' server, which counts."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/bench/stats") as answer:  # noqa: S310  (our own)
            found: dict[str, Any] = json.load(answer)
        found["connections"] -= 1  # this one
        return found


@pytest.fixture
def service() -> Iterator[Service]:
    # Outputs take a moment, so that without a gate all of them are on their way at a time.
    command = [sys.executable, "-m", "benchmarks.server", "--output-bytes", "1000", "--output-delay", "0.1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Service(process.stdout.readline().strip())
        finally:
            process.kill()


def loaded(program: str) -> set[str]:
    """The modules that a program adds to those of a bare interpreter."""
    code = f"import sys; before = set(sys.modules)\n{program}\nprint(*sorted(set(sys.modules) - before))"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


HEAVY = {"httpx", "httpcore", "anyio", "attr", "ssl", "asyncio", "trio", "typer", "rich", "filetype"}


@pytest.mark.slow
class TestModules:
    def test_the_packages_load_nothing_but_themselves(self) -> None:
        """Neither loads a network library, attrs or its own parts before they are used."""
        found = loaded("import magic_hour_workflows, magic_hour_client")
        assert not found & HEAVY
        assert {name for name in found if name.split(".")[0] not in sys.stdlib_module_names} == {
            "magic_hour_client",
            "magic_hour_workflows",
            "magic_hour_workflows._version",
        }
        assert len(found) <= 34, sorted(found)

    def test_the_client_class_loads_no_network(self) -> None:
        found = loaded("from magic_hour_workflows import Client")
        assert not found & (HEAVY - {"attr"})
        assert len(found) <= 157, sorted(found)

    def test_the_first_answer_loads_what_it_takes(self, service: Service) -> None:
        """Neither flows nor certificates, which take longer to load than the whole SDK."""
        found = loaded(
            "from magic_hour_workflows import Client\n"
            f"Client({KEY!r}, base_url={service.url!r}).v1.image_projects.get('some')\n"
            "from magic_hour_client._runtime.http_clients import _shared\n"
            "assert not _shared, 'certificates'"
        )
        raw = loaded(f"import httpx; httpx.Client().get({service.url!r})")
        flows = {
            f"magic_hour_workflows.{name}"
            for name in ("events", "_partial_download", "_flows.generate", "_results", "_sources")
        }
        assert not found & {"magic_hour_client.models.v1_video_projects", "filetype", *flows}
        assert len(found - raw) <= 75, sorted(found - raw)

    def test_an_async_client_is_entered_with_what_its_jobs_need(self) -> None:
        """Loaded by the first of many jobs, it would hold the event loop up."""
        found = loaded(
            "import asyncio\nfrom magic_hour_workflows import AsyncClient\n"
            f"async def main():\n async with AsyncClient({KEY!r}): pass\n"
            "asyncio.run(main())"
        )
        assert found >= {
            f"magic_hour_workflows.{name}"
            for name in ("_async_backend", "_flows.generate", "_partial_download", "_storage_http")
        }

    def test_a_file_with_an_extension_is_sent_without_a_table_of_signatures(self, tmp_path: Path) -> None:
        """Only a file that its name does not tell, and the first output, need one."""
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        program = (
            "from magic_hour_workflows._assets import to_source\n"
            "from magic_hour_workflows._partial_download import PartialDownload\n"
            f"to_source({str(tmp_path / 'a.png')!r}, 'image', 'file').prepare()\n"
        )
        assert "filetype" not in loaded(program)
        (tmp_path / "a").write_bytes(b"\x89PNG\r\n\x1a\n")
        assert "filetype" in loaded(program.replace("a.png", "a"))

    @pytest.mark.parametrize("command", [(), ("image", "generate"), ("batch", "run")], ids=" ".join)
    def test_the_help_of_the_command_line_loads_no_network(self, command: tuple[str, ...]) -> None:
        found = loaded(
            "from magic_hour_workflows.cli import main\nsys.stdout, out = None, sys.stdout\n"
            "from contextlib import suppress, redirect_stdout\nimport io\n"
            f"with redirect_stdout(io.StringIO()): main({[*command, '--help']})\nsys.stdout = out"
        )
        assert not found & {*HEAVY, "dbos", "sqlalchemy", "jinja2", "magic_hour_workflows.batch"} - {"attr", "typer"}


@pytest.mark.parametrize(("seconds", "most"), [(2, 3), (10, 11), (60, 26), (1800, 100)])
@pytest.mark.parametrize("random", [0.0, 0.999])
def test_looks_at_a_job(seconds: float, most: int, random: float) -> None:
    backend = FakeBackend(random=random)
    done = backend.clock + seconds
    backend.script("v1.image_projects.get", lambda _: project("complete" if backend.clock >= done else "rendering"))
    run_sync(wait(call(backend, timeout=7200), Job("image", "job-1"), new=True))
    assert len(backend.sent) <= most


def image(client: Any, folder: Path) -> Any:
    return client.v1.ai_image_generator.generate(image_count=1, style=STYLE, download_directory=folder)


def talk(client: Any, folder: Path) -> Any:
    assets = {"image_file_path": ("a.png", b"a picture"), "audio_file_path": ("a.mp3", b"a sound")}
    return client.v1.ai_talking_photo.generate(assets=assets, start_seconds=0, end_seconds=1, download_directory=folder)


@pytest.mark.parametrize(
    ("work", "requests"),
    [
        (image, {"create": 1, "look": 1, "download": 1}),
        (talk, {"places": 1, "put": 2, "create": 1, "look": 1, "download": 1}),
    ],
)
def test_requests_of_a_job(
    world: World, service: Service, tmp_path: Path, work: Callable[[Any, Path], Any], requests: dict[str, int]
) -> None:
    world.call(lambda client: work(client, tmp_path), token=KEY, base_url=service.url, poll_interval=0.01)
    assert service.stats()["requests"] == requests


MANY = 60
GATE = 12
"""Requests of one sort at a time: looks and the like, creates."""
FILES = 8
"""Files on their way at a time."""


def at_once(backend: str, service: Service, work: Callable[[Any], Any]) -> dict[str, Any]:
    """What the service counted while one client did the same many times at once."""

    async def main() -> None:
        async with (
            AsyncClient(KEY, base_url=service.url, poll_interval=0.01) as client,
            anyio.create_task_group() as group,
        ):
            for _ in range(MANY):
                group.start_soon(work, client)

    anyio.run(main, backend=backend)
    return service.stats()


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=pytest.mark.long)])  # both share the pools
class TestConnections:
    def test_looks_share_as_many_as_pass_the_gate(self, backend: str, service: Service) -> None:
        stats = at_once(backend, service, lambda client: client.v1.image_projects.get("some"))
        assert stats["requests"] == {"look": MANY}
        assert stats["connections"] <= GATE

    def test_creates_have_one_each_and_few_at_a_time(self, backend: str, service: Service) -> None:
        """One that is kept may be stale. The server sees them go a little later than we do, hence the room."""
        create = {"image_count": 1, "style": STYLE}
        stats = at_once(backend, service, lambda client: client.v1.ai_image_generator.create(**create))
        assert stats["connections"] == stats["requests"]["create"] == MANY
        assert stats["most_open"] <= 3 * GATE

    def test_downloads_pass_a_gate_of_their_own(self, backend: str, service: Service, tmp_path: Path) -> None:
        stats = at_once(backend, service, lambda client: client.v1.image_projects.download("some", tmp_path))
        assert stats["requests"] == {"look": MANY, "download": MANY}
        assert stats["connections"] <= GATE + FILES

    def test_all_else_of_many_jobs_shares_connections(self, backend: str, service: Service, tmp_path: Path) -> None:
        stats = at_once(backend, service, lambda client: talk(client, tmp_path))
        assert stats["requests"]["download"] == MANY
        # One for each create, and few for the five requests more that each job makes. An idle connection is closed
        # after five seconds, so a slow machine opens some anew.
        assert stats["connections"] <= 2 * (MANY + GATE + FILES)


CHUNKS = 200
CHUNK = 64 * 1024


class Kept:
    """Chunks of bytes as they went in, and how much of what came out are others."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.taken = 0
        self.copied = 0

    def give(self, size: int) -> bytes:
        self.given.append(bytes([len(self.given) % 256]) * size)
        return self.given[-1]

    def take(self, chunk: bytes) -> None:
        self.taken += len(chunk)
        self.copied += 0 if any(chunk is other for other in self.given) else len(chunk)


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer that arrives in chunks."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(CHUNKS):
            yield self.kept.give(CHUNK)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


class Line(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Storage and service at once: gives `Body`, keeps an account of what is sent."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/media"):
            return httpx.Response(200, headers={"content-length": str(CHUNKS * CHUNK)}, stream=Body(self.kept))
        if request.method == "POST":
            place = {"upload_url": "https://storage.example/input", "file_path": "api-assets/a.png"}
            return httpx.Response(200, json={"items": [place]})
        return httpx.Response(
            200, json={"id": "a", "status": "complete", "downloads": [{"url": "https://storage.example/media/a.png"}]}
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            assert isinstance(request.stream, httpx.SyncByteStream)
            for chunk in request.stream:
                self.kept.take(chunk)
        return self.answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            assert isinstance(request.stream, httpx.AsyncByteStream)
            async for chunk in request.stream:
                self.kept.take(chunk)
        return self.answer(request)


class File:
    """An open file that knows what it gave."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset + (CHUNKS * CHUNK if whence == 2 else 0)
        return self.position

    def read(self, size: int) -> bytes:
        size = min(size, CHUNKS * CHUNK - self.position)
        self.position += size
        return self.kept.give(size) if size else b""


class TestCopies:
    """What is read goes to the network, and what arrives goes to the disk, as the same objects."""

    def test_upload(self, world: World) -> None:
        kept = Kept()
        self.check(world, kept, lambda client: client.v1.files.upload_file(("a.png", File(kept))))

    def test_download(self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = Kept()
        write = PartialDownload.write

        def noted(partial: PartialDownload, chunk: bytes) -> None:
            kept.take(chunk)
            write(partial, chunk)

        monkeypatch.setattr(PartialDownload, "write", noted)
        self.check(world, kept, lambda client: client.v1.image_projects.download("a", tmp_path))

    def check(self, world: World, kept: Kept, work: Callable[[Any], Any]) -> None:
        http = world.HTTPClient(transport=Line(kept))
        world.call(work, token=KEY, base_url="https://api.example", http_client=http)
        assert (kept.taken, kept.copied) == (CHUNKS * CHUNK, 0)
