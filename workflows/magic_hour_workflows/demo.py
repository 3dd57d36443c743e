"""Four operations, sync and async, from a sample portrait and a sample voice to files on disk.

    python -m magic_hour_workflows.demo                     against the emulator, on this machine, free
    python -m magic_hour_workflows.demo --live              against the live service, with the key in MAGIC_HOUR_API_KEY

Rule: it only uses what a user's program can use, and the calls are the same for both services.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from magic_hour_client._runtime.redaction import escaped

from . import AsyncClient, Client, Result
from .errors import MagicHourError
from .events import Created, Event

Options = dict[str, Any]
Row = tuple[str, str, Result, float]

LIVE_COST = "about 420 credits"
"""Two headshots, two talking photos of 2 seconds, two pairs of images, two edits (prices of August 2026)."""

DIRECT = {"NO_PROXY": "*", "no_proxy": "*"}
"""A proxy cannot reach the emulator, which listens on this machine's loopback interface."""


def calls() -> dict[str, dict[str, Any]]:
    """One call for each endpoint, as the parameters of its `generate`."""
    from magic_hour_emulator import samples

    portrait, voice = samples.portrait(), samples.voice()
    assets = {"image_file_path": portrait, "audio_file_path": voice}
    return {
        "ai_headshot_generator": {"assets": {"image_file_path": portrait}},
        "ai_talking_photo": {"assets": assets, "start_seconds": 0, "end_seconds": 2},
        "ai_image_generator": {
            "image_count": 2,
            "aspect_ratio": "16:9",
            "style": {"prompt": "A lighthouse at dusk", "tool": "ai-anime-generator"},
        },
        "ai_image_editor": {
            "assets": {"image_file_paths": [portrait]},
            "style": {"prompt": "Give me sunglasses"},
            "aspect_ratio": "1:1",
        },
    }


def run_sync(token: str | None, base_url: str | None, options: Options) -> Iterator[Row]:
    """One endpoint after another."""
    with Client(token=token, base_url=base_url) as client:
        for endpoint, parameters in calls().items():
            began = time.monotonic()
            result = getattr(client.v1, endpoint).generate(**parameters, **options)
            yield endpoint, "sync", result, time.monotonic() - began


async def run_async(token: str | None, base_url: str | None, options: Options) -> list[Row]:
    """All endpoints at once."""
    async with AsyncClient(token=token, base_url=base_url) as client:

        async def run(endpoint: str, parameters: Options) -> Row:
            began = time.monotonic()
            result = await getattr(client.v1, endpoint).generate(**parameters, **options)
            return endpoint, "async", result, time.monotonic() - began

        return await asyncio.gather(*(run(endpoint, parameters) for endpoint, parameters in calls().items()))


@contextmanager
def service(*, live: bool) -> Iterator[tuple[str | None, str | None]]:
    """The token and base URL to use; None means the environment or the defaults."""
    if live:
        print(f"Running against the live service; this will charge {LIVE_COST}.")
        yield None, None
        return
    from magic_hour_emulator import Emulator

    with Emulator() as emulator, patch.dict(os.environ, DIRECT):
        yield emulator.token, emulator.url


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    try:
        return run(argv)
    except MagicHourError as error:
        print(f"demo: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"demo: {error.name} is missing; pip install 'magic-hour-workflows[emulator]'", file=sys.stderr)
    return 1


def run(argv: Sequence[str] | None = None, *, program: str = "python -m magic_hour_workflows.demo") -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog=program, description="Run four operations.")
    parser.add_argument("--output", type=Path, default=Path("outputs"), help="where to save (default: outputs)")
    parser.add_argument("--live", action="store_true", help=f"use the live service and pay {LIVE_COST}")
    arguments = parser.parse_args(argv)
    options = {"download_directory": arguments.output, "on_progress": announce if arguments.live else None}
    with service(live=arguments.live) as (token, base_url):
        print(f"{'endpoint':<22} {'client':<6} {'credits':>7} {'seconds':>7}  files", flush=True)
        for row in run_sync(token, base_url, options):
            _print_row(row)
        for row in asyncio.run(run_async(token, base_url, options)):
            _print_row(row)
    return 0


def announce(event: Event) -> None:
    """Print the id of a paid job as soon as it is known."""
    if isinstance(event, Created):
        print(f"accepted: {event.kind} job {escaped(event.id)}", file=sys.stderr, flush=True)


def _print_row(row: Row) -> None:
    endpoint, client, result, seconds = row
    credits = "?" if result.credits_charged is None else f"{result.credits_charged:g}"
    columns = f"{endpoint:<22} {client:<6} {credits:>7} {seconds:>7.1f}"
    for path in result.downloaded_paths:  # their names begin with the id of the job
        print(f"{columns}  {path}", flush=True)
        columns = " " * len(columns)


if __name__ == "__main__":
    sys.exit(main())
