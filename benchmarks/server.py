"""A simple, fast service: answers and media are prepared beforehand, and jobs are done when their time is up.

    python -m benchmarks.server --job-seconds 2 --output-bytes 100000

Prints its address and serves until it is killed. Written on asyncio's protocols, because it must cost far less than
the clients it measures; `benchmarks/capacity.py` shows that it does. TCP_NODELAY is asyncio's own default.

Rule: no checks, no decisions, nothing rendered. It keeps counts, and `GET /bench/stats` tells them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from typing import cast
from urllib.parse import unquote

import attrs

BLOCK = bytes(256 * 1024)
SMALL = 64 * 1024
"""The bytes of the outputs of a job called `small`, for warming up."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RANGE = re.compile(rb"\r\nrange: *bytes=(\d+)-", re.IGNORECASE)
_IMAGES = re.compile(rb'"image_count": ?(\d+)')
_EXTENSION = re.compile(rb'"extension": ?"([a-z0-9]+)"')
_CREATES = {b"/v1/ai-image-generator": ("image", "png"), b"/v1/ai-talking-photo": ("video", "mp4")}


@attrs.define
class Job:
    """When the job was accepted, what it makes, and how often it was polled."""

    kind: str
    suffix: str
    outputs: int
    done_at: float
    looks: int = 0


@attrs.define
class Service:
    """The state that the connections share."""

    job_seconds: float
    output_bytes: int
    output_delay: float
    url: str = ""
    jobs: dict[str, Job] = attrs.field(factory=dict)
    counts: dict[str, int] = attrs.field(factory=dict)
    connections: int = 0
    open: int = 0
    most_open: int = 0

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def create(self, path: bytes, body: bytes) -> bytes:
        kind, suffix = _CREATES[path]
        found = _IMAGES.search(body)
        id = f"job-{len(self.jobs)}"
        self.jobs[id] = Job(kind, suffix, int(found[1]) if found else 1, time.monotonic() + self.job_seconds)
        return b'{"id":"%s","credits_charged":5,"frame_cost":5,"estimated_frame_cost":5}' % id.encode()

    def look(self, id: str) -> bytes:
        job = self.jobs.get(id)
        if job is None:  # any other name is a complete job; `...-x4` has four outputs
            job = Job("image", "png", 4 if id.endswith("-x4") else 1, 0.0)
        job.looks += 1
        complete = time.monotonic() >= job.done_at
        downloads = [
            {"url": f"{self.url}/media/{id}-{n}.{job.suffix}?signature=none", "expires_at": "2030-01-01T00:00:00Z"}
            for n in range(job.outputs if complete else 0)
        ]
        video = {"width": 64, "height": 64, "start_seconds": 0, "end_seconds": 1, "fps": 25, "download": None}
        image = {"image_count": job.outputs}
        return json.dumps(
            {
                "id": id,
                "name": "benchmark",
                "status": "complete" if complete else "rendering",
                "type": "TALKING_PHOTO" if job.kind == "video" else "AI_IMAGE",
                "created_at": "2026-01-01T00:00:00Z",
                "enabled": True,
                "credits_charged": 5,
                "total_frame_cost": 5,
                "downloads": downloads,
                "error": None,
                **(video if job.kind == "video" else image),
            }
        ).encode()

    def places(self, body: bytes) -> bytes:
        items = [
            {
                "upload_url": f"{self.url}/input/{n}.{found.decode()}?signature=none",
                "expires_at": "2030-01-01T00:00:00Z",
                "file_path": f"api-assets/id/{n}.{found.decode()}",
            }
            for n, found in enumerate(_EXTENSION.findall(body))
        ]
        return json.dumps({"items": items}).encode()

    def stats(self) -> bytes:
        return json.dumps(
            {
                "requests": self.counts,
                "connections": self.connections,
                "most_open": self.most_open,
                "cpu_seconds": time.process_time(),
                "jobs": {id: {"done_at": job.done_at, "looks": job.looks} for id, job in self.jobs.items()},
            }
        ).encode()


class Conversation(asyncio.Protocol):
    """One connection: reads requests one after another, discards uploads, answers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.transport: asyncio.Transport
        self.buffer = b""
        self.swallow = 0
        self.sending = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.service.connections += 1
        self.service.open += 1
        self.service.most_open = max(self.service.most_open, self.service.open)

    def connection_lost(self, error: Exception | None) -> None:
        self.service.open -= 1

    def data_received(self, data: bytes) -> None:
        if self.swallow:
            self.swallow -= len(data)
            if self.swallow == 0:
                self.reply(b"", b'etag: "input"\r\n')
            return
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
            body = self.buffer[end + 4 :]
            if method == b"PUT":
                self.service.count("put")
                self.buffer = b""
                self.swallow = length - len(body)
                if self.swallow == 0:
                    self.reply(b"", b'etag: "input"\r\n')
                return
            if len(body) < length:
                return
            self.buffer = body[length:]
            self.answer(method, target.partition(b"?")[0], head, body[:length])

    def answer(self, method: bytes, path: bytes, head: bytes, body: bytes) -> None:
        service = self.service
        if path in _CREATES:
            service.count("create")
            self.reply(service.create(path, body))
        elif path == b"/v1/files/upload-urls":
            service.count("places")
            self.reply(service.places(body))
        elif path.startswith((b"/v1/image-projects/", b"/v1/video-projects/")):
            service.count("look")
            self.reply(service.look(unquote(path.rpartition(b"/")[2].decode())))
        elif path.startswith(b"/media/"):
            service.count("download")
            found = _RANGE.search(head)
            start = int(found[1]) if found else 0
            if service.output_delay:
                asyncio.get_running_loop().call_later(service.output_delay, self.media, path, start)
            else:
                self.media(path, start)
        elif path == b"/bench/stats":
            self.reply(service.stats())
        else:
            self.reply(b'{"message":"not found"}', status=b"404 Not Found")

    def reply(self, body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> None:
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n"
        self.transport.write(head % (status, len(body), headers) + body)

    def media(self, path: bytes, start: int) -> None:
        size = min(self.service.output_bytes, SMALL if b"small" in path else sys.maxsize)
        head = b"content-type: image/png\r\netag: %s\r\naccept-ranges: bytes\r\n" % (b'"' + path + b'"')
        if start:
            head = b"HTTP/1.1 206 Partial Content\r\ncontent-range: bytes %d-%d/%d\r\n" % (start, size - 1, size) + head
        else:
            head = b"HTTP/1.1 200 OK\r\n" + head
        self.sending = size - start
        self.transport.write(head + b"content-length: %d\r\n\r\n" % self.sending)
        self.resume_writing()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        """Send until the socket takes no more; called again when it does."""
        self.paused = False
        while self.sending and not self.paused:
            block = BLOCK if self.sending >= len(BLOCK) else BLOCK[: self.sending]
            self.sending -= len(block)
            self.transport.write(block)


async def serve(service: Service) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Conversation(service), "127.0.0.1", 0, backlog=2048)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(service.url, flush=True)
    await server.serve_forever()


def main() -> int:
    """Run the service."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--job-seconds", type=float, default=0.0)
    parser.add_argument("--output-bytes", type=int, default=100_000)
    parser.add_argument("--output-delay", type=float, default=0.0, help="seconds before each output")
    given = parser.parse_args()
    asyncio.run(serve(Service(given.job_seconds, given.output_bytes, given.output_delay)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
