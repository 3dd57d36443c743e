"""How much memory a large transfer takes, and for how long it blocks an event loop.

    python benchmarks/transfers_memory.py --size 2G --runs 5

Up and down, sync and async: each run is a process of its own, which moves a small file first, notes its peak memory,
then moves the large one. The service is a third process that neither keeps nor makes up what it moves, so that what is
measured is the client; a fourth one only ticks, and what it is late by is the machine's doing. Fails if the peak grows
by more than 32 MiB, or if the median of the longest stalls is above 50 ms. Linux only: the peak is read from /proc.

Rule: the public methods do the work; nothing is measured that a user would not run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
MOST_GROWTH_MIB = 32.0
MOST_STALL_MS = 50.0
_UNITS = {"K": 1024, "M": MIB, "G": 1024 * MIB}
_TICK_SECONDS = 0.002
_WARM_UP_BYTES = 64 * 1024
"""Small, so that buffers count as growth, but not loaded modules and connections."""
_KEY = "mhk_benchmark"
_BLOCK = bytes(MIB)


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=_size, default=_size("2G"), help="bytes to move, such as 256M or 2G")
    parser.add_argument("--runs", type=int, default=5, help="runs of each async case; sync ones run once")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    if arguments.case:
        way, world, url, folder = arguments.case
        print(json.dumps(measured(way, world, url, Path(folder), arguments.size)))
        return 0
    return report(arguments.size, arguments.runs)


def _size(text: str) -> int:
    unit = _UNITS.get(text[-1:].upper())
    return int(text[:-1]) * unit if unit else int(text)


# --- the report


def report(size: int, runs: int) -> int:
    """Measure all cases and print a table; returns 1 if one of them is over its limit."""
    missed = False
    with tempfile.TemporaryDirectory(prefix="magic-hour-benchmark-") as folder:
        if shutil.disk_usage(folder).free < 2 * size:
            print(f"{2 * size / MIB:.0f} MiB of free space are needed for temporary files")
            return 2
        server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().strip() if server.stdout else ""
            print(
                f"{size / MIB:6.0f} MiB    growth of peak     longest stall of: the loop    a ticking process     MiB/s"
            )
            for way in ("up", "down"):
                for world in ("sync", "async"):
                    several = [_run(way, world, url, folder, size) for _ in range(runs if world == "async" else 1)]
                    missed |= _line(f"{way:4} {world:5}", several)
        finally:
            server.kill()
            server.communicate()
    return int(missed)


def _run(way: str, world: str, url: str, folder: str, size: int) -> dict[str, float]:
    """The figures of one run, with how late this process, which only ticks, was woken up meanwhile."""
    command = [sys.executable, __file__, "--size", str(size), "--case", way, world, url, folder]
    latest = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        while child.poll() is None:
            due = time.monotonic() + _TICK_SECONDS
            time.sleep(_TICK_SECONDS)
            latest = max(latest, time.monotonic() - due)
        if child.returncode or child.stdout is None:
            raise SystemExit(f"{way} {world} failed")
        return {**json.loads(child.stdout.read()), "machine_ms": 1000 * latest}


def _line(name: str, several: list[dict[str, float]]) -> bool:
    """Print a line of the table; returns whether a limit was missed."""
    growth = max(figures["growth_mib"] for figures in several)
    rate = statistics.median(figures["mib_per_second"] for figures in several)
    stall = statistics.median(figures.get("stall_ms", 0.0) for figures in several)
    machine = statistics.median(figures["machine_ms"] for figures in several)
    stalls = f"{stall:6.0f} ms" if "stall_ms" in several[0] else "        -"
    missed = growth > MOST_GROWTH_MIB or stall > MOST_STALL_MS
    end = "   TOO MUCH" if missed else ""
    print(f"{name} {growth:16.1f} MiB {stalls:>26} {machine:21.0f} ms {rate:10.0f}{end}", flush=True)
    return missed


# --- one measurement, in a process of its own


def measured(way: str, world: str, url: str, folder: Path, size: int) -> dict[str, float]:
    """Transfer a small file, then a large one; return the figures of the large one."""
    small, large = (_source(folder, size) for size in (_WARM_UP_BYTES, size))
    if world == "async":
        return asyncio.run(_measured_async(way, url, folder, small, large, size))
    from magic_hour_workflows import Client

    with Client(token=_KEY, base_url=url) as client:
        _checked(_move(client, way, folder, small, _WARM_UP_BYTES), _WARM_UP_BYTES)
        before, began = _peak_mib(), time.monotonic()
        moved = _move(client, way, folder, large, size)
        seconds = time.monotonic() - began
        growth = _peak_mib() - before
    _checked(moved, size)
    return {"growth_mib": growth, "mib_per_second": size / MIB / seconds}


async def _measured_async(way: str, url: str, folder: Path, small: Path, large: Path, size: int) -> dict[str, float]:
    from magic_hour_workflows import AsyncClient

    async with AsyncClient(token=_KEY, base_url=url) as client:
        _checked(await _move(client, way, folder, small, _WARM_UP_BYTES), _WARM_UP_BYTES)
        stalls = [0.0]
        watching = asyncio.create_task(_watch(stalls))
        await asyncio.sleep(0)
        before, began = _peak_mib(), time.monotonic()
        moved = await _move(client, way, folder, large, size)
        seconds = time.monotonic() - began
        growth = _peak_mib() - before
        watching.cancel()
    _checked(moved, size)
    return {"growth_mib": growth, "mib_per_second": size / MIB / seconds, "stall_ms": 1000 * max(stalls)}


async def _watch(stalls: list[float]) -> None:
    """Record repeatedly how late the loop is."""
    while True:
        due = time.monotonic() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        stalls.append(time.monotonic() - due)


def _move(client: Any, way: str, folder: Path, source: Path, size: int) -> Any:
    """The call: the server gives `down-<bytes>` as many bytes as its name says."""
    if way == "up":
        return client.v1.files.upload_file(source)
    return client.v1.image_projects.download(f"down-{size}", folder)


def _checked(moved: Any, size: int) -> None:
    """Check that everything arrived, and remove it. The server checks uploads: it answers once it has all of one."""
    for path in moved if isinstance(moved, list) else []:
        if path.stat().st_size != size:
            raise SystemExit(f"{path.stat().st_size} of {size} bytes arrived")
        path.unlink()


def _source(folder: Path, size: int) -> Path:
    """A sparse file, which takes no space on the disk."""
    path = folder / f"source-{size}.png"
    with path.open("wb") as file:
        file.truncate(size)
    return path


def _peak_mib() -> float:
    """The peak memory of this process. Not ru_maxrss, which starts with that of the parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("/proc/self/status does not tell the peak memory of this process")


# --- the service


def serve() -> int:
    """A service that receives and sends bytes as fast as it can, until it is killed. Prints its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    print(url, flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_converse, args=(connection, url), daemon=True).start()


def _converse(connection: socket.socket, url: str) -> None:
    with connection, suppress(ConnectionError), connection.makefile("rb") as reader:
        while head := reader.readline():
            method, path, _ = head.decode().split()
            length = 0
            while (line := reader.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            left, buffer = length, bytearray(MIB)
            while left and (count := reader.readinto1(memoryview(buffer)[: min(left, MIB)])):
                left -= count
            _answer(connection, method, path, url)


def _answer(connection: socket.socket, method: str, path: str, url: str) -> None:
    name = path.rpartition("/")[2]
    if path.startswith("/outputs/"):
        left = int(name.removesuffix(".png"))
        connection.sendall(f'HTTP/1.1 200 OK\r\netag: "a"\r\ncontent-length: {left}\r\n\r\n'.encode())
        while left > 0:
            connection.sendall(memoryview(_BLOCK)[: min(left, MIB)])
            left -= MIB
        return
    answer: dict[str, Any] = {}
    if method == "POST":
        answer = {"items": [{"upload_url": f"{url}/inputs/a.png", "expires_at": "", "file_path": "api-assets/a.png"}]}
    elif method == "GET":
        output = {"url": f"{url}/outputs/{name.partition('-')[2]}.png", "expires_at": ""}
        answer = {"id": name, "status": "complete", "downloads": [output]}
    body = json.dumps(answer).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


if __name__ == "__main__":
    sys.exit(main())
