"""The files that jobs produce: rendered when somebody first wants them, then kept.

Rule: the outputs of one job have different paths and, as on the service, one base name (API-FACTS, Files).
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from ._errors import Abandoned
from ._jobs import Job

__all__ = ["Outputs", "output_path", "parse_output_path"]

_PATH = re.compile(r"/(?P<id>c[a-z0-9]{24})(?:/(?P<index>\d+))?/output\.(?:png|mp4)")


def output_path(job: Job, index: int) -> str:
    """Where in storage an output is: `/<id>/output.png`; if there are several, `/<id>/0/output.png` and so on."""
    place = f"{job.id}/{index}" if job.count > 1 else job.id
    return f"/{place}/output.{job.extension}"


def parse_output_path(path: str) -> tuple[str, int] | None:
    """The job id and the index of an output's path; None if it is not one."""
    match = _PATH.fullmatch(path)
    return (match["id"], int(match["index"] or 0)) if match else None


class Outputs:
    """Rendered files in a directory of their own."""

    def __init__(self, directory: Path, render: Callable[[Job, int, Path], None]) -> None:
        self._directory = directory
        self._render = render

    def get(self, job: Job, index: int) -> Path:
        """The file of one output, rendered now if it was not yet. Slow; call it from a worker thread.

        Raises `Abandoned` if the job is deleted meanwhile.
        """
        target = self._file(job, index)
        with job.lock:
            if job.abandoned.is_set():
                raise Abandoned
            if not target.exists():
                unfinished = target.with_suffix(".part")
                try:
                    self._render(job, index, unfinished)
                    os.replace(unfinished, target)
                finally:
                    unfinished.unlink(missing_ok=True)
        return target

    def put(self, job: Job, index: int, content: Path) -> None:
        """Let this file be the output instead of a rendered one, for tests that need certain bytes or sizes."""
        with job.lock:
            target = self._file(job, index)
            unfinished = target.with_suffix(".part")
            shutil.copyfile(content, unfinished)
            os.replace(unfinished, target)

    def discard(self, job: Job) -> None:
        """Delete the files of a job, for good."""
        job.abandoned.set()
        with job.lock:
            for index in range(job.count):
                self._file(job, index).unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all files."""
        for path in self._directory.iterdir():
            path.unlink(missing_ok=True)

    def _file(self, job: Job, index: int) -> Path:
        return self._directory / f"{job.id}-{index}.{job.extension}"
