"""One command at work: its settings, where it prints, how it ends.

Rule: stdout holds results and nothing else, in JSON one object for each command, also when it fails.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import MagicHourError
from ..events import Created, Event
from ..operations import operations
from ..results import Job, Kind
from .catalog import Flag
from .progress import showing, to_stderr

if TYPE_CHECKING:
    from ..client import Client


@attrs.define(kw_only=True)
class Terminal:
    """What one command was told about itself, and what it learnt."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    base_url: str | None = None
    allow_http: bool = False
    flags: Sequence[Flag] = ()
    """The flags behind the fields that errors may name."""
    resume_options: Sequence[str] = ()
    """What the command that picks the job up has to be told as well."""
    job: Job | None = None
    """The job, once one is accepted or named."""

    def client(self) -> Client:
        """A client as the options and the environment say."""
        from ..client import Client

        return Client(base_url=self.base_url, allow_http=self.allow_http)

    @contextmanager
    def progress(self) -> Iterator[Callable[[Event], None]]:
        """A listener that shows events and remembers the job."""
        with showing(self.resume, quiet=self.quiet) as show:

            def listen(event: Event) -> None:
                if isinstance(event, Created):
                    self.job = Job(event.kind, event.id, event.credits_charged, event.name)
                show(event)

            yield listen

    def resume(self, kind: str, id: str) -> str:
        """The command that picks a job up."""
        where = ["--base-url", self.base_url] if self.base_url else []
        open_http = ["--allow-http"] if self.allow_http else []
        return shlex.join(["magic-hour", kind, "wait", id, *self.resume_options, *where, *open_http])

    def about(self, kind: Kind, id: str) -> None:
        """The command is about this job, which exists already."""
        self.job = Job(kind, id)

    def say(self, text: str) -> None:
        """Something nice to know."""
        if not self.quiet:
            to_stderr(text)

    def result(self, data: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Print what came out: the data as JSON, or else the lines."""
        text = json.dumps(data, ensure_ascii=False, default=str) if self.json else "\n".join(lines)
        if text:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def run(self, work: Callable[[], None]) -> int:
        """Do the work; returns the exit code. Whatever happens is told, nothing is raised."""
        try:
            with self._logging(), self._warnings():
                work()
        except BrokenPipeError as error:
            # Nobody reads stdout any more. Python would complain once more when it closes it.
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return self.fail(error)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (this is where everything is told)
            return self.fail(error)
        return 0

    def fail(self, error: BaseException) -> int:
        """Tell what went wrong; returns the exit code."""
        from . import ends

        job = self.job
        if isinstance(error, MagicHourError) and error.project_id is None:
            job = None  # it went wrong before there was one, or there is none with this id
        resume = self.resume(job.kind, job.id) if job is not None else None
        text = ends.words(error, job, resume, self.flags)
        if self.debug:
            to_stderr("".join(traceback.format_exception(error)).rstrip())
        to_stderr(f"magic-hour: {text}")
        if self.json:
            with suppress(OSError):
                self.result(ends.as_json(error, text, job, resume), [])
        return ends.exit_code(error)

    @contextmanager
    def _logging(self) -> Iterator[None]:
        """The log goes to stderr if asked for, else nowhere: what matters is told anyway."""
        logger = logging.getLogger("magic_hour_workflows")
        handler: logging.Handler = logging.StreamHandler() if self.verbose else logging.NullHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        level = logger.level
        logger.addHandler(handler)
        if self.verbose:
            logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)

    def _warnings(self) -> AbstractContextManager[None]:
        """What the service has retired is said in one line, without the place in the code."""
        return _deprecations_to(lambda text: self.say(f"magic-hour: {text}"))


@contextmanager
def _deprecations_to(tell: Callable[[str], None]) -> Iterator[None]:
    def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, DeprecationWarning) and str(message).partition(":")[0] in operations():
            tell(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", DeprecationWarning)
        warnings.showwarning = show
        yield
