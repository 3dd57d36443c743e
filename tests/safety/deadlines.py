"""How late calls end: `timeout=T` with every fault that could delay them, and Ctrl-C.

    python tests/safety/deadlines.py --timeouts 1 5 20

Prints by how many seconds each call was late, and fails if one was more than a second late or ended for another reason.
The default run of the tests uses the same cases, once each, with a less strict limit.

Rule: each measurement has its own emulator, so that none waits for the faults of another.
"""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import anyio

from magic_hour_client.errors import MagicHourError
from magic_hour_emulator import Emulator, samples
from magic_hour_emulator.faults import Fault
from magic_hour_workflows import AsyncClient, Client

ALLOWED_SECONDS = 1.0
LARGE = 20_000_000
"""Bytes of an upload, more than all buffers on the way can take."""
CASES: dict[str, tuple[Fault, ...]] = {
    "hang, upload URLs": (Fault("hang", on="upload-urls", times=None),),
    "hang, upload": (Fault("hang", on="put", times=None),),
    "hang, create": (Fault("hang", on="create", times=None),),
    "hang, poll": (Fault("hang", on="get", times=None),),
    "hang, download": (Fault("hang", on="download", times=None),),
    "dripping headers, create": (Fault("drip", on="create", rate=5, times=None),),
    "dripping headers, poll": (Fault("drip", on="get", rate=5, times=None),),
    "dripping headers, download": (Fault("drip", on="download", rate=5, times=None),),
    "dripping body, poll": (Fault("drip", on="get", rate=20, times=None),),
    "dripping body, download": (Fault("drip", on="download", rate=400, times=None),),
    "slow-reading PUT": (Fault("upload_slow", on="put", rate=20_000, times=None),),
    "PUT that is not read": (Fault("upload_stall", on="put", times=None),),
    "many 429, poll": (Fault("rate_limited", on="get", retry_after=0, times=None),),
    "many 429, download": (Fault("rate_limited", on="download", retry_after=0, times=None),),
    "429 that asks for an hour": (Fault("rate_limited", on="get", retry_after=3600, times=None),),
    "stuck job": (Fault("job_stuck", on="create", times=None),),
}
WORLDS = ("sync", "asyncio", "trio")
CTRL_C = "Ctrl-C in four parallel uploads"
_UPLOADS = """
import signal, sys
from magic_hour_workflows import Client
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores Ctrl-C for what it runs in the background
with Client(token=sys.argv[1], base_url=sys.argv[2]) as client:
    files = [(f"{number}.png", bytes(20_000_000)) for number in range(4)]
    client.v1.ai_image_editor.generate(assets={"image_file_paths": files}, style={"prompt": "a"})
"""


def late(case: str, world: str, timeout: float, emulator: Emulator, directory: Path) -> float:
    """By how many seconds a call that cannot succeed was late.

    Raises:
        RuntimeError: it did.
    """
    for fault in CASES[case]:
        emulator.faults.add(fault)
    portrait = samples.portrait().read_bytes()
    content = portrait + bytes(LARGE) if "PUT" in case else portrait

    def generate(client: Any) -> Any:
        assets = {"image_file_path": ("portrait.jpg", content)}
        return client.v1.ai_headshot_generator.generate(assets=assets, download_directory=directory, timeout=timeout)

    options = {"token": emulator.token, "base_url": emulator.url, "poll_interval": 0.02}
    began = time.monotonic()
    try:
        _run(generate, world, options)
    except MagicHourError:
        return time.monotonic() - began - timeout
    raise RuntimeError(f"{case} did not hold the call")


def _run(use: Callable[[Any], Any], world: str, options: dict[str, Any]) -> None:
    async def main() -> None:
        async with AsyncClient(**options) as client:
            await use(client)

    if world == "sync":
        with Client(**options) as client:
            use(client)
    else:
        anyio.run(main, backend=world)


def seconds_to_end_on_ctrl_c(emulator: Emulator) -> float:
    """How long a program with four stalled uploads keeps running after Ctrl-C."""
    emulator.faults.add("upload_stall", on="put", times=None)
    command = [sys.executable, "-c", _UPLOADS, emulator.token, emulator.url]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as program:
        try:
            until = time.monotonic() + 60
            while len(emulator.requests.find(method="PUT")) < 4:
                if program.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("the program did not upload")
                time.sleep(0.05)
            program.send_signal(signal.SIGINT)
            began = time.monotonic()
            program.wait(60)
            return time.monotonic() - began
        finally:
            program.kill()


def _measured(measurement: tuple[str, str, float]) -> float | str:
    """In its own process: the seconds, or what went wrong."""
    case, world, timeout = measurement
    with Emulator(speed=50, seed=0) as emulator, tempfile.TemporaryDirectory() as directory:
        try:
            if case == CTRL_C:
                return seconds_to_end_on_ctrl_c(emulator)
            return late(case, world, timeout, emulator, Path(directory))
        except RuntimeError as error:
            return str(error)


def _warm_up() -> None:
    """Load modules and certificates, which is not part of a measurement."""
    logging.getLogger("magic_hour_workflows").addHandler(logging.NullHandler())
    for world in WORLDS:
        _measured(("hang, poll", world, 0.1))


def main() -> int:
    """Measure everything, print a table; returns 1 if something was too late."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--timeouts", type=float, nargs="+", default=[1, 5, 20], help="seconds")
    parser.add_argument("--jobs", type=int, default=8, help="measurements at a time; most of each is waiting")
    arguments = parser.parse_args()
    measurements = [(case, world, t) for t in arguments.timeouts for case in CASES for world in WORLDS]
    measurements.append((CTRL_C, "sync", 0))
    print(f"{'seconds late':33} timeout   world    (at most {ALLOWED_SECONDS:.0f})")
    failed = False
    with ProcessPoolExecutor(arguments.jobs, initializer=_warm_up) as pool:
        for (case, world, timeout), result in zip(measurements, pool.map(_measured, measurements), strict=True):
            good = isinstance(result, float) and result <= ALLOWED_SECONDS
            failed |= not good
            shown = f"{result:6.2f}" if isinstance(result, float) else result
            print(f"{case:33} {timeout:5g} s   {world:8} {shown}{'' if good else '   TOO LATE'}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
