"""Starting and stopping the emulator: two web servers in threads, one per origin.

Rule: it listens on the loopback interface only. Leaving the `with` block leaves no thread, socket or file behind.
"""

import contextlib
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from ._api import api_app
from ._clock import Clock
from ._contract import Contract, load_contract
from ._controls import force
from ._fault_injection import with_faults
from ._fault_schedule import FaultSchedule, api_targets, storage_target
from ._faulty_protocol import FaultyProtocol
from ._jobs import Job, JobError
from ._ledger import Ledger
from ._recorder import RecordedRequest, Recorder
from ._request_checks import loopback_address
from ._service import Service, Settings
from ._storage import storage_app
from ._webhook_targets import parse_webhook
from ._webhooks import Attempt

__all__ = ["Emulator", "listen"]

# A start takes a moment. Only a hang or a very busy machine takes longer.
_START_SECONDS: Final = 60.0
# As load balancers usually do, so that slow pollers can reuse their connection.
_KEEP_ALIVE_SECONDS: Final = 60
# How long running requests may take when the emulator stops.
_GRACE_SECONDS: Final = 0.3
# The same event loop whatever is installed, so that a fault has the same effect on the wire everywhere. The faulty
# protocol does not depend on it: its tests run on uvloop too.
_LOOP: Final = "asyncio"


class Emulator:
    """The service on your own machine, as a context manager.

    `url` is the origin of the API and `storage_url` that of the storage; `mirror_url` is the storage on another origin.

    Args:
        token: the API key that is accepted.
        host: the loopback address to listen on.
        port: the port of the API; 0 for a free one.
        storage_port: the port of the storage; 0 for a free one.
        credits: the opening balance.
        seed: decides ids and pictures: the same seed and requests give the same ids and bytes. Default: random.
        speed: how fast the emulator's time passes; with 100, a second takes 10 ms.
        frozen: let time pass only with `clock.advance(seconds)`.
        polls_to_complete: complete a job at its nth GET instead of by time.
        realistic: let jobs take the service's documented median time instead of a second or two.
        durations: how many seconds a job takes, by resource (such as "ai-talking-photo").
        spec: another OpenAPI file to take routes and checks from.
        allowed_hosts: host names that the controls accept besides loopback names, such as "host.docker.internal".
        webhook: a URL on this machine to send events to; jobs then move by themselves.
        webhook_secret: the secret that signs events; needed with `webhook`.
        on_request: called with each request when its response has ended, in the thread of a server.

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
        realistic: bool = False,
        durations: Mapping[str, float] | None = None,
        spec: Path | None = None,
        allowed_hosts: Iterable[str] = (),
        webhook: str | None = None,
        webhook_secret: str = "",
        on_request: Callable[[RecordedRequest], None] | None = None,
    ) -> None:
        if webhook is None and webhook_secret:
            raise ValueError("webhook_secret signs the events to a webhook: pass webhook too")
        self._host = loopback_address(host)
        self._ports = (port, storage_port, 0)
        self._settings = Settings(
            token,
            credits,
            secrets.randbits(32) if seed is None else seed,
            speed,
            frozen,
            polls_to_complete,
            realistic,
            dict(durations or {}),
            frozenset(name.lower() for name in allowed_hosts),
            None if webhook is None else parse_webhook(webhook, webhook_secret),
        )
        self._spec = spec
        self._on_request = on_request
        self._service: Service | None = None
        self._exit = contextlib.ExitStack()
        self.url = ""
        self.storage_url = ""
        self.mirror_url = ""

    def __enter__(self) -> "Emulator":
        if self._service is not None:
            raise RuntimeError("the emulator is already running")
        with contextlib.ExitStack() as stack:
            contract = load_contract(self._spec)
            _check_durations(self._settings.durations, contract)
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="magic-hour-emulator-"))
            service = Service(self._settings, contract, Path(directory))
            api, storage, mirror = sockets = [stack.enter_context(listen(self._host, port)) for port in self._ports]
            self.url, self.storage_url, self.mirror_url = map(_url, sockets)
            service.url, service.storage_url, service.mirror_url = self.url, self.storage_url, self.mirror_url
            service.recorder.on_end = self._on_request
            self._service = service
            on_api = with_faults(api_app(service), service, api_targets(service.contract), storage=False)
            on_storage = with_faults(storage_app(service), service, storage_target, storage=True)
            apps = [(on_api, "api", [api]), (on_storage, "storage", [storage, mirror])]
            servers = [
                stack.enter_context(_Serving(service.recorder.wrap(app, origin), listening))
                for app, origin, listening in apps
            ]
            for server in servers:
                server.wait_until_started()
                stack.callback(server.begin_to_stop)  # runs first, so that both stop at the same time
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
        return self.service.clock

    @property
    def ledger(self) -> Ledger:
        """Accepted creates, charges, refunds and balance, after finishing the jobs that are due."""
        self.service.jobs.all()
        return self.service.ledger

    @property
    def requests(self) -> Recorder:
        """Every request so far to either origin, except the emulator's own controls."""
        return self.service.recorder

    @property
    def faults(self) -> FaultSchedule:
        """The faults: `faults.add("reset", on="create")`, `faults.fired`, `faults.clear()`."""
        return self.service.faults

    @property
    def jobs(self) -> list[Job]:
        """The jobs that are not deleted, oldest first, in their current state."""
        return self.service.jobs.all()

    @property
    def deliveries(self) -> tuple[Attempt, ...]:
        """Every attempt to deliver an event to a webhook, oldest first."""
        return self.service.webhooks.attempts

    def add_webhook(self, url: str, secret: str) -> None:
        """Send signed events to this URL too. ValueError if it is not on this machine's loopback interface."""
        self.service.webhooks.add(parse_webhook(url, secret))

    def remove_webhook(self, url: str | None = None) -> None:
        """Send no more events to this URL, or to any. KeyError if there is no such webhook."""
        self.service.webhooks.remove(url)

    def reset(self) -> None:
        """Forget jobs, files, requests, deliveries, charges and faults, and reset ids and clock. The servers run on."""
        self.service.reset()

    def fail_next(
        self,
        code: str = "unknown_error",
        message: str = "The emulator was asked to fail this job",
        *,
        resource: str | None = None,
        times: int = 1,
    ) -> None:
        """Let the next accepted create (of one resource, such as "ai-image-editor") end with an error and a refund."""
        self.service.fail_next(JobError(code, message), resource, times)

    def force(self, job_id: str, status: str, code: str = "unknown_error", message: str = "Forced by a test") -> None:
        """Put a job into a status: "complete", "error" (with code and message), "canceled", or hold it in "draft",
        "queued" or "rendering". KeyError if there is no such job, ValueError if it cannot reach the status."""
        job = self.service.jobs.find(job_id)
        if job is None:
            raise KeyError(job_id)
        force(self.service, job, status, JobError(code, message))

    def uploaded(self, file_path: str) -> Path:
        """The file that was uploaded as `file_path`. KeyError if there is none."""
        path = self.service.uploads.find(file_path)
        if path is None:
            raise KeyError(file_path)
        return path

    def put_output(self, job_id: str, index: int, content: Path) -> None:
        """Use a copy of this file as an output of a job, for tests that need certain bytes or sizes."""
        job = self.service.jobs.find(job_id)
        if job is None:
            raise KeyError(job_id)
        self.service.outputs.put(job, index, content)

    def set_answer(self, resource: str, **fields: Any) -> None:
        """Let a GET that is not about a job answer these fields: `set_answer("account", credits=12, tier="free")`.

        ValueError if there is no such answer or field. The credits are the ledger's balance.
        """
        self.service.readings.change(resource, fields)

    def add_item(self, resource: str, *files: Path, **item: Any) -> Mapping[str, Any]:
        """Add an item with these files to a list, and return it: `add_item("saved-items", path, type="character")`."""
        return self.service.readings.add(resource, item, files)

    @property
    def service(self) -> Service:
        """The whole state of the emulator, for its own tests. RuntimeError if it is not running."""
        if self._service is None:
            raise RuntimeError("the emulator is not running; use it in a `with` block")
        return self._service


class _Serving:
    """One uvicorn server in its own thread."""

    def __init__(self, app: ASGIApp, listening: list[socket.socket]) -> None:
        config = uvicorn.Config(
            app,
            http=FaultyProtocol,
            loop=_LOOP,
            ws="none",
            log_config=None,  # it would apply to the whole process, and change the level of running servers
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
        """Return once the server accepts connections."""
        until = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise RuntimeError("the emulator's web server did not start")
            time.sleep(0.005)

    def begin_to_stop(self) -> None:
        """Accept no more requests."""
        self._server.should_exit = True

    def __exit__(self, *_: object) -> None:
        self.begin_to_stop()
        self._thread.join(_GRACE_SECONDS)
        for connection in list(self._server.server_state.connections):  # of requests that are still running
            with contextlib.suppress(RuntimeError):  # the loop has ended
                connection.loop.call_soon_threadsafe(connection.transport.abort)
        self._server.force_exit = True
        self._thread.join()


def _check_durations(durations: Mapping[str, float], contract: Contract) -> None:
    resources = [each.resource for each in contract.operations if each.step == "create"]
    unknown = set(durations) - set(resources)
    if unknown:
        raise ValueError(f"no such resource: {', '.join(sorted(unknown))}; there are {', '.join(resources)}")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a port that no other program shares."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only if the protocol is given; with the algorithm, a response takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # On Windows, unlike elsewhere, SO_REUSEADDR would let a second emulator listen on the same port.
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
