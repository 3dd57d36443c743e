"""The program that is killed: one paid job with four outputs, by the command line, the sync or the async client.

Rule: it does what a user's program does and nothing to survive. With a point, it kills itself there with SIGKILL, which
none of its code outlives; without one, it is killed from outside.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from magic_hour_workflows import AsyncClient, Client
from magic_hour_workflows._flows import generate, submit
from magic_hour_workflows._flows.call import Submission
from magic_hour_workflows.cli import main as cli

FOLDER = "out"


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do it, then die."""

    def done(*arguments: Any, **keywords: Any) -> None:
        function(*arguments, **keywords)
        die()

    return done


def no_links(*_: Any) -> None:
    """A file system without hard links."""
    raise OSError(errno.EPERM, "Operation not permitted")


def die_at(point: str) -> None:
    """Arrange for the program to kill itself there."""
    match point:
        case "answered":
            submit.publish = die
        case "reported":
            submit.publish = after(submit.publish)
        case "before-link":
            os.link = die
        case "after-link":
            os.link = after(os.link)
        case "before-rename":
            os.link, os.rename = no_links, die
        case "after-rename":
            os.link, os.rename = no_links, after(os.rename)
        case "saved":
            Client.close = AsyncClient.close = die
        case _:
            raise SystemExit(f"no such point: {point}")


def job(portrait: str) -> dict[str, Any]:
    return {
        "assets": {"image_file_paths": [portrait]},
        "style": {"prompt": "A hat"},
        "image_count": 4,
        "download_directory": FOLDER,
        "on_progress": lambda event: print(event, flush=True),
    }


async def main_async(portrait: str) -> None:
    async with AsyncClient() as client:
        await client.v1.ai_image_editor.generate(**job(portrait))


def main(folder: Path, kind: str, portrait: str, point: str | None) -> int:
    """Run the job in a folder, by the command line ("cli"), the sync or the async client."""
    os.chdir(folder)
    if point is not None:
        die_at(point)
    if kind == "cli":
        arguments = ["--image", portrait, "--prompt", "A hat", "--image-count", "4", "--output", FOLDER]
        return cli(["image", "edit", *arguments])
    if kind == "sync":
        with Client() as client:
            client.v1.ai_image_editor.generate(**job(portrait))
    else:
        asyncio.run(main_async(portrait))
    return 0


def resume(folder: Path, id: str) -> int:
    """Finish the job at the command line."""
    os.chdir(folder)
    return cli(["image", "wait", id, "--output", FOLDER])


LOG_POINTS = ("submitting", "answered", "recorded", "saved")


def die_for_the_log(point: str) -> None:
    """Arrange for the program to kill itself around what it writes into the job log."""
    match point:
        case "submitting":
            Submission.begin = die  # type: ignore[assignment]
        case "answered":
            submit.record_accepted = die  # type: ignore[assignment]
        case "recorded":
            submit.publish = die
        case "saved":
            generate.record_result = die  # type: ignore[assignment]
        case _:
            raise SystemExit(f"no such point: {point}")


def plain(folder: Path, kind: str, portrait: str, point: str | None) -> int:
    """The same job by a client, with nobody who listens: what is known of it, the job log alone knows."""
    os.chdir(folder)
    if point is not None:
        die_for_the_log(point)
    silent = {name: value for name, value in job(portrait).items() if name != "on_progress"}
    if kind == "sync":
        with Client() as client:
            client.v1.ai_image_editor.generate(**silent)
        return 0

    async def run() -> None:
        async with AsyncClient() as client:
            await client.v1.ai_image_editor.generate(**silent)

    asyncio.run(run())
    return 0


def jobs(folder: Path, *words: str) -> int:
    """A command about the job log."""
    os.chdir(folder)
    return cli(["jobs", *words])
