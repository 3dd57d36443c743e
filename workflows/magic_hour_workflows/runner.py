"""Runs the calls of a client: the backend, the defaults, and the flows on top of them.

The resources of `magic_hour_resources`, the command line and batches hold a runner, never a client.

Rule: a `Call` is built here and nowhere else. A method starts the clock of one call and passes it to a flow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from magic_hour_client._runtime.settings import checked_seconds

from ._backend import Backend, run_sync
from ._flows.call import Call
from ._flows.submit import carry, send
from ._settings import Defaults, checked_interval, checked_listener

if TYPE_CHECKING:
    from pathlib import Path

    from magic_hour_client._runtime.endpoints import Endpoint, Request
    from magic_hour_client.types import AssetRole, JobKind

    from ._job_log.log import JobLog
    from ._results import Result as Result
    from .events import Event as Event

T = TypeVar("T")
TypedResult = TypeVar("TypedResult", bound="Result")
_OF_CALL = ("timeout", "poll_interval", "on_progress")
"""The options of a call as a whole; the others are about its outputs."""


class CallOptions(TypedDict, total=False):
    """How long a call may take, and the listener for its progress."""

    timeout: float | None
    on_progress: Callable[[Event], object] | None


class WaitOptions(CallOptions, total=False):
    """The same for a call that polls a job."""

    poll_interval: float | None


class SaveOptions(TypedDict, total=False):
    """Where to save outputs, and under which name."""

    download_directory: str | os.PathLike[str] | None
    output_name: str | None


class DownloadOptions(CallOptions, SaveOptions, total=False):
    """The options of `download`."""


class JobOptions(WaitOptions, SaveOptions, total=False):
    """The options of `check_result`, and of `generate` besides the fields of the contract."""

    wait_for_completion: bool
    download_outputs: bool


class _BaseRunner:
    """What both runners share: one place that builds a call, and one flow for each method."""

    def __init__(
        self,
        make_backend: Callable[[], Backend],
        defaults: Defaults,
        request_timeout: float | None,
        job_log: JobLog | None = None,
    ) -> None:
        self._make_backend = make_backend
        self._job_log = job_log
        self.defaults: Defaults = defaults
        self.request_timeout: float | None = request_timeout

    @cached_property
    def backend(self) -> Backend:
        """The backend, loaded by the first call."""
        return self._make_backend()

    def begin(
        self,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> Call:
        """Start one call: its time limit counts from now.

        Raises:
            InvalidArgument: an option is invalid.
        """
        return Call(
            self.backend,
            checked_seconds("timeout", timeout) or self.defaults.timeout,
            poll_interval=checked_interval("poll_interval", poll_interval) or self.defaults.poll_interval,
            on_progress=checked_listener(on_progress),
            allow_http=self.defaults.allow_http,
            job_log=self._job_log,
            check_balance=self.defaults.check_balance,
            inbox=self.defaults.inbox,
        )

    def _generate(
        self,
        endpoint: Endpoint[..., Any],
        parameters: Mapping[str, Any],
        extra_body: Mapping[str, Any] | None,
        options: JobOptions,
    ) -> tuple[Call, Coroutine[Any, Any, Result]]:
        from ._flows.generate import OutputOptions, generate

        call, outputs = self._begun(options), OutputOptions(**_without_call(options))
        return call, generate(call, endpoint, {**parameters, "extra_body": extra_body}, outputs)

    def _begun(self, options: Mapping[str, Any]) -> Call:
        return self.begin(**{name: options[name] for name in _OF_CALL if name in options})

    def _balance(self, timeout: float | None) -> Coroutine[Any, Any, float | None]:
        from ._flows.balance import balance

        return balance(self.begin(timeout or self.request_timeout))

    def _wait(self, kind: JobKind, id: str, options: WaitOptions) -> Coroutine[Any, Any, Any]:
        from ._flows.wait import wait_for

        return wait_for(self._begun(options), kind, id)

    def _download(self, kind: JobKind, id: str, options: DownloadOptions) -> Coroutine[Any, Any, list[Path]]:
        from ._flows.generate import OutputOptions, save

        return save(self._begun(options), kind, id, OutputOptions(**_without_call(options)))

    def _check_result(self, kind: JobKind, id: str, options: JobOptions) -> Coroutine[Any, Any, Result]:
        from ._flows.generate import OutputOptions, check_result

        return check_result(self._begun(options), kind, id, OutputOptions(**_without_call(options)))

    def _upload_file(self, file: object, role: AssetRole | None, options: CallOptions) -> Coroutine[Any, Any, str]:
        from ._flows.generate import upload_file

        return upload_file(self._begun(options), file, role)


class Runner(_BaseRunner):
    """Runs the calls of a `Client`."""

    def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a request and return its result, as the `send` of the client does."""
        call = self.begin(timeout or self.request_timeout)
        return run_sync(send(call, request, extra_headers), partial(carry, call))

    def generate(
        self,
        endpoint: Endpoint[..., Any],
        parameters: Mapping[str, Any],
        *,
        extra_body: Mapping[str, Any] | None = None,
        **options: Unpack[JobOptions],
    ) -> Result:
        """Run a whole job: upload the input files, submit, wait, save the outputs."""
        call, flow = self._generate(endpoint, parameters, extra_body, options)
        return run_sync(flow, partial(carry, call))

    def wait(self, kind: JobKind, id: str, **options: Unpack[WaitOptions]) -> Any:
        """Wait until a job is complete; returns its project."""
        return run_sync(self._wait(kind, id, options))

    def download(self, kind: JobKind, id: str, **options: Unpack[DownloadOptions]) -> list[Path]:
        """Save the outputs of a complete job."""
        return run_sync(self._download(kind, id, options))

    def check_result(self, kind: JobKind, id: str, **options: Unpack[JobOptions]) -> Result:
        """Continue a job by its id."""
        return run_sync(self._check_result(kind, id, options))

    def balance(self, *, timeout: float | None = None) -> float | None:
        """The credits that the account can spend; None if the contract or the service does not say."""
        return run_sync(self._balance(timeout))

    def upload_file(self, file: object, role: AssetRole | None = None, **options: Unpack[CallOptions]) -> str:
        """Upload a file; returns its remote path."""
        return run_sync(self._upload_file(file, role, options))


class AsyncRunner(_BaseRunner):
    """Runs the calls of an `AsyncClient`."""

    async def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a request and return its result, as the `send` of the client does."""
        return await send(self.begin(timeout or self.request_timeout), request, extra_headers)

    async def generate(
        self,
        endpoint: Endpoint[..., Any],
        parameters: Mapping[str, Any],
        *,
        extra_body: Mapping[str, Any] | None = None,
        **options: Unpack[JobOptions],
    ) -> Result:
        """Run a whole job: upload the input files, submit, wait, save the outputs."""
        _, flow = self._generate(endpoint, parameters, extra_body, options)
        return await flow

    async def wait(self, kind: JobKind, id: str, **options: Unpack[WaitOptions]) -> Any:
        """Wait until a job is complete; returns its project."""
        return await self._wait(kind, id, options)

    async def download(self, kind: JobKind, id: str, **options: Unpack[DownloadOptions]) -> list[Path]:
        """Save the outputs of a complete job."""
        return await self._download(kind, id, options)

    async def check_result(self, kind: JobKind, id: str, **options: Unpack[JobOptions]) -> Result:
        """Continue a job by its id."""
        return await self._check_result(kind, id, options)

    async def balance(self, *, timeout: float | None = None) -> float | None:
        """The credits that the account can spend; None if the contract or the service does not say."""
        return await self._balance(timeout)

    async def upload_file(self, file: object, role: AssetRole | None = None, **options: Unpack[CallOptions]) -> str:
        """Upload a file; returns its remote path."""
        return await self._upload_file(file, role, options)


def typed(kind: type[TypedResult], result: Result) -> TypedResult:
    """The same result as one of a class that knows what its project has."""
    return kind(**{name: getattr(result, name) for name in _names_of_fields(kind)})


def _names_of_fields(kind: type[Any]) -> list[str]:
    return [field.name for field in kind.__attrs_attrs__]


def _without_call(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _OF_CALL}


if not TYPE_CHECKING:  # loaded when they are first used: a `create` or `get` needs neither

    def __getattr__(name: str) -> Any:
        if name == "Result":
            from ._results import Result

            return Result
        if name == "Event":
            from .events import Event

            return Event
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = ["AsyncRunner", "CallOptions", "DownloadOptions", "Event", "JobOptions", "Result", "Runner", "WaitOptions"]
__all__ += ["typed"]
