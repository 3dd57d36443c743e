"""The emulator as something to start and stop: two web servers in threads, one per origin.

Rule: it listens on the loopback interface only, and leaving the `with` block leaves no thread, socket or file behind.
"""

import contextlib
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from ._api import api_app
from ._clock import Clock
from ._contract import load_contract
from ._controls import force
from ._errors import JobError
from ._fault_injection import with_faults
from ._fault_schedule import FaultPlan
from ._faulty_protocol import Line
from ._jobs import Job
from ._ledger import Ledger
from ._recorder import Recorder
from ._request_checks import loopback_address
from ._service import DURATIONS, Service, Settings
from ._storage import storage_app
from ._targets import on_api, on_storage

__all__ = ["Emulator"]

# A start takes a moment; only a hang, or a very busy machine, takes longer.
_START_SECONDS: Final = 60.0
# As long as usual load balancers keep an idle connection, so that slow pollers do not always meet a closing one.
_KEEP_ALIVE_SECONDS: Final = 60
# How long running requests may take to end when the emulator stops.
_GRACE_SECONDS: Final = 0.3
# The same one whatever else is installed, so that a fault has the same effect on the wire everywhere. `line` does not
# depend on it: its tests run on uvloop too.
_LOOP: Final = "asyncio"


class Emulator:
    """The service on your own machine, as a context manager.

    `url` is the API's origin, `storage_url` the storage's; `mirror_url` is the storage once more, under another origin.

    Args:
        token: the API key that is accepted.
        host: the loopback address to listen on.
        port: the port of the API; 0 takes a free one.
        storage_port: the port of the storage; 0 takes a free one.
        credits: the opening balance.
        seed: decides ids and pictures; the same seed and requests give the same ids and bytes. A new one if not given.
        speed: how fast the emulator's time passes; 100 lets a second take 10 ms.
        frozen: let time pass only by `clock.advance(seconds)`.
        polls_to_complete: finish a job at its nth GET, instead of by time.
        durations: seconds a job takes, by resource (such as "ai-talking-photo"); else 1 for images, 2 for videos.
        spec: another OpenAPI file to take routes and checks from.
        allowed_hosts: host names that the controls answer to besides those of loopback, such as "host.docker.internal".

    Example:
        with Emulator() as emulator:
            httpx.get(f"{emulator.url}/v1/image-projects/none", headers={"Authorization": f"Bearer {emulator.token}"})
    """

    def __init__(
        self,
        *,
        token: str = "mhk_local",
        host: str = "127.0.0.1",
        port: int = 0,
        storage_port: int = 0,
        credits: int = 1_000_000,
        seed: int | None = None,
        speed: float = 1.0,
        frozen: bool = False,
        polls_to_complete: int | None = None,
        durations: Mapping[str, float] | None = None,
        spec: Path | None = None,
        allowed_hosts: Iterable[str] = (),
    ) -> None:
        self._host = loopback_address(host)
        self._ports = (port, storage_port, 0)
        self._settings = Settings(
            token,
            credits,
            secrets.randbits(32) if seed is None else seed,
            speed,
            frozen,
            polls_to_complete,
            {**DURATIONS, **_known(durations or {})},
            frozenset(name.lower() for name in allowed_hosts),
        )
        self._spec = spec
        self._service: Service | None = None
        self._exit = contextlib.ExitStack()
        self.url = ""
        self.storage_url = ""
        self.mirror_url = ""

    def __enter__(self) -> "Emulator":
        if self._service is not None:
            raise RuntimeError("the emulator is already running")
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="magic-hour-emulator-"))
            service = Service(self._settings, load_contract(self._spec), Path(directory))
            api, storage, mirror = sockets = [stack.enter_context(_listen(self._host, port)) for port in self._ports]
            self.url, self.storage_url, self.mirror_url = map(_url, sockets)
            service.url, service.storage_url, service.mirror_url = self.url, self.storage_url, self.mirror_url
            self._service = service
            apps = [
                (with_faults(api_app(service), service, on_api(service.contract), storage=False), "api", [api]),
                (with_faults(storage_app(service), service, on_storage, storage=True), "storage", [storage, mirror]),
            ]
            servers = [
                stack.enter_context(_Serving(service.recorder.wrap(app, origin), listening))
                for app, origin, listening in apps
            ]
            for server in servers:
                server.wait_until_started()
                stack.callback(server.begin_to_stop)  # runs first on the way out: both stop at the same time
            stack.callback(service.close)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exit.close()
        self._service = None

    @property
    def token(self) -> str:
        """The API key that is accepted."""
        return self._settings.token

    @property
    def clock(self) -> Clock:
        """The emulator's time; `clock.advance(seconds)` moves it."""
        return self._running.clock

    @property
    def ledger(self) -> Ledger:
        """Accepted creates, charges, refunds and balance. Jobs that are due are finished first."""
        self._running.jobs.all()
        return self._running.ledger

    @property
    def requests(self) -> Recorder:
        """Every request so far to either origin, except the emulator's own controls."""
        return self._running.recorder

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong: `faults.add("reset", on="create")`, `faults.fired`, `faults.clear()`."""
        return self._running.faults

    @property
    def jobs(self) -> list[Job]:
        """The jobs that are not deleted, oldest first, as they are now."""
        return self._running.jobs.all()

    def reset(self) -> None:
        """Forget jobs, files, requests, charges and faults; start the ids and the clock again. The servers keep on."""
        self._running.reset()

    def fail_next(
        self,
        code: str = "unknown_error",
        message: str = "The emulator was asked to fail this job",
        *,
        resource: str | None = None,
        times: int = 1,
    ) -> None:
        """Let the next accepted create (of one resource, such as "ai-image-editor") end with an error and a refund."""
        self._running.fail_next(JobError(code, message), resource, times)

    def force(self, job_id: str, status: str, code: str = "unknown_error", message: str = "Forced by a test") -> None:
        """Put a job into a status: "complete", "error" (with code and message), "canceled", or hold it in "draft",
        "queued" or "rendering". KeyError if there is no such job, ValueError if the status cannot be reached."""
        job = self._running.jobs.find(job_id)
        if job is None:
            raise KeyError(job_id)
        force(self._running, job, status, JobError(code, message))

    def uploaded(self, file_path: str) -> Path:
        """The bytes that were uploaded as `file_path`, as a file. KeyError if there are none."""
        path = self._running.uploads.find(file_path)
        if path is None:
            raise KeyError(file_path)
        return path

    def put_output(self, job_id: str, index: int, content: Path) -> None:
        """Let a copy of this file be an output of a job, for tests that need certain bytes or sizes."""
        job = self._running.jobs.find(job_id)
        if job is None:
            raise KeyError(job_id)
        self._running.outputs.put(job, index, content)

    @property
    def _running(self) -> Service:
        if self._service is None:
            raise RuntimeError("the emulator is not running; use it in a `with` block")
        return self._service


class _Serving:
    """One uvicorn server in a thread of its own."""

    def __init__(self, app: ASGIApp, listening: list[socket.socket]) -> None:
        config = uvicorn.Config(
            app,
            http=Line,
            loop=_LOOP,
            ws="none",
            log_config=None,  # it is for the whole process, and would undo the level of the servers that run already
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": listening}, name="magic-hour-emulator", daemon=True
        )

    def __enter__(self) -> "_Serving":
        self._thread.start()
        return self

    def wait_until_started(self) -> None:
        """Return when the server answers."""
        until = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise RuntimeError("the emulator's web server did not start")
            time.sleep(0.005)

    def begin_to_stop(self) -> None:
        """Take no more requests."""
        self._server.should_exit = True

    def __exit__(self, *_: object) -> None:
        self.begin_to_stop()
        self._thread.join(_GRACE_SECONDS)
        for connection in list(self._server.server_state.connections):  # of requests that still run
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                connection.loop.call_soon_threadsafe(connection.transport.abort)
        self._server.force_exit = True
        self._thread.join()


def _known(durations: Mapping[str, float]) -> Mapping[str, float]:
    unknown = set(durations) - set(DURATIONS)
    if unknown:
        raise ValueError(f"no such resource: {', '.join(sorted(unknown))}; there are {', '.join(DURATIONS)}")
    return durations


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only then; with it an answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # On Windows, SO_REUSEADDR would let a second emulator listen on a port that is taken; elsewhere it does not.
        exclusive: int | None = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if exclusive is None else exclusive, 1)
        listening.bind((host, port))
        listening.listen(512)
    except OSError:
        listening.close()
        raise
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
