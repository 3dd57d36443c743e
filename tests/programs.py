"""Programs that tests start, kill and resume: forked from a process that has loaded what all of them need.

Rule: each is a process of its own, with its own environment and streams, and ends like any other, also by a signal. It
saves only the two seconds that importing the client, the engine and its database take, in some dozens of programs.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

LOADED = [
    "magic_hour_workflows.batch._batch", "magic_hour_workflows.batch._engine", "magic_hour_workflows.cli.app",
    "magic_hour_client._runtime.deadline", "magic_hour_client._runtime.http_clients", "magic_hour_client.models",
    "magic_hour_emulator.samples", "anyio._backends._asyncio", "certifi", "filetype", "httpcore", "httpx", "PIL",
]  # fmt: skip
"""Modules that a program would otherwise import itself. One that does not exist is skipped, and costs time only."""


def ran(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command that has ended, however it did. `variables` add to those of the tests, other options replace ours."""
    variables = {**os.environ, **options.pop("variables", {})}
    how: dict[str, Any] = {"capture_output": True, "text": True, "check": False, "timeout": 300, "env": variables}
    return subprocess.run([str(part) for part in command], **{**how, **options})


def python(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """The same for this interpreter with these arguments."""
    return ran(sys.executable, *arguments, **options)


class Program:
    """A function in its own process, with the part of `subprocess.Popen` that tests need.

    Args:
        function: returns the exit code.
        arguments: its arguments.
        environment: variables in addition to those of the tests.
        out: the file to append standard output to.
        err: the file for standard error. Default: `out`.
    """

    def __init__(
        self,
        function: Callable[..., int],
        *arguments: Any,
        environment: Mapping[str, str],
        out: Path,
        err: Path | None = None,
    ) -> None:
        given = (function, arguments, {**os.environ, **environment}, out, err)
        self._process = _context().Process(target=_run, args=given)
        self._process.start()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def wait(self, seconds: float | None = None) -> int:
        """Wait until it has ended, and return the exit code."""
        self._process.join(seconds)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(repr(self._process), seconds or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()


@cache
def _context() -> Any:
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context


def _run(
    function: Callable[..., int], arguments: tuple[Any, ...], environment: dict[str, str], out: Path, err: Path | None
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((out, 1), (err or out, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, stream)
        os.close(file)
    faulthandler.enable()
    sys.exit(function(*arguments))
