"""Uploads and downloads, with the faults of storage and network.

Rule: files grow in the real `PartialDownload`, are read from the real `Source`, and failures are translated by
the real `_storage_http`.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx

from magic_hour_client._runtime.send_trace import SendTrace
from magic_hour_workflows._backend import OnBytes
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows._sources import Source
from magic_hour_workflows._storage_http import check_put, cut_short, fetch_request, network_errors, put_request
from magic_hour_workflows._streams import read_chunk

from .environment import Environment, Exchange
from .faults import Fault, Phase

_DISK_FULL = OSError(errno.ENOSPC, "No space left on device")


class Transfers(Environment):
    """The part of the port that talks to storage."""

    async def put(self, url: str, source: Source, deadline: float, on_bytes: OnBytes) -> None:
        size = await self.run_in_thread(source.prepare, abandon_on_cancel=True, deadline=deadline)
        fault = self.world.weather.of_put(self.now())
        record = self._begin("put", False, source.name, fault)
        with network_errors(f"upload of {source.name}"), self._ending(record), source.opened() as file:
            await self._connect(fault, SendTrace(), deadline)
            request = put_request(url, httpx.ByteStream(b""), size)
            assert "authorization" not in request.headers
            record.sent = True
            content = b""
            while len(content) < size:
                chunk = read_chunk(file, min(size - len(content), max(1, size // 3)))
                if not chunk:
                    raise cut_short()
                content += chunk
                await self._spend(deadline, httpx.WriteTimeout)
                on_bytes(len(content), size)
                if fault is not None and fault.phase is Phase.BODY:
                    await self._fail(fault, deadline)
            await self._stored(record, url, content, deadline)

    async def _stored(self, record: Exchange, url: str, content: bytes, deadline: float) -> None:
        expired = self.world.storage.refusal(url, self.now())
        fault = record.fault
        if expired is not None:
            record.expired, record.status = True, expired
            check_put(expired, {})
        if fault is not None and fault.status:
            record.status = fault.status
            record.retry_after = float(fault.headers["retry-after"]) if fault.headers else None
            check_put(fault.status, fault.headers)
        self.world.storage.put(url, content)
        if fault is not None and fault.phase is Phase.AFTER:
            await self._fail(fault, deadline)
        record.status = 200
        check_put(200, {})

    async def fetch(self, url: str, target: PartialDownload, deadline: float, on_bytes: OnBytes) -> Path:
        fault = self.world.weather.of_get(self.now(), begun=target.received > 0)
        record = self._begin("fetch", False, f"{target.name} from {url}", fault)
        with network_errors(f"download of {target.name}"), self._ending(record):
            while True:
                assert url.startswith("https://"), "anybody on the way could listen"
                await self._connect(fault, SendTrace(), deadline)
                record.sent = True
                request = fetch_request(url, target.request_headers())
                assert "authorization" not in request.headers
                if fault is not None and fault.phase is Phase.LOST:
                    await self._fail(fault, deadline)
                status, headers, content = self._got(record, url, request.headers)
                next_url = target.begin(url, status, headers)
                if next_url is None:
                    return await self._receive(fault, target, content, on_bytes, deadline)
                url = next_url

    def _got(self, record: Exchange, url: str, asked: httpx.Headers) -> tuple[int, dict[str, str], bytes]:
        """The response of storage, and what the network changes in its head."""
        fault = record.fault
        expired = self.world.storage.refusal(url, self.now())
        if expired is not None:
            record.expired, record.status = True, expired
            return expired, {}, b""
        if fault is not None and fault.status:
            record.status = fault.status
            record.retry_after = float(fault.headers["retry-after"]) if fault.headers else None
            return fault.status, dict(fault.headers), b""
        if fault is not None and fault.name == "download: another version":
            stored = self.world.storage.outputs[urlsplit(url).path]
            if len(stored.versions) < 3:
                stored.versions.append(bytes(byte ^ 1 for byte in stored.content))
        status, headers, content = self.world.storage.get(url, asked)
        record.status = status
        vouched = self.world.storage.outputs[urlsplit(url).path].checksum
        return _head(fault, url, status, headers), _changed(fault, url, headers), _body(fault, content, vouched)

    async def _receive(
        self, fault: Fault | None, target: PartialDownload, content: bytes, on_bytes: OnBytes, deadline: float
    ) -> Path:
        cut = self.world.random.randrange(len(content) + 1) if fault is not None and fault.phase is Phase.BODY else None
        size = max(1, len(content) // 3)
        for start in range(0, len(content), size):
            chunk = content[start : start + size]
            if (
                cut is not None
                and start + len(chunk) > cut
                and fault is not None
                and fault.name != "download: too long"
            ):
                target.write(chunk[: cut - start])
                await self._break(fault, target, deadline)
                break
            await self._spend(deadline, TimeoutError)
            target.write(chunk)
            on_bytes(target.received, target.total)
        return target.finish()

    async def _break(self, fault: Fault, target: PartialDownload, deadline: float) -> None:
        if fault.name == "download: disk full":
            target._file = _FullDisk(target._file)  # type: ignore[assignment]
            target.write(b"one byte more")
        if fault.error is not None:
            await self._fail(fault, deadline)


@attrs.frozen
class _FullDisk:
    """A file on a full disk."""

    file: Any

    def write(self, content: bytes) -> int:
        raise _DISK_FULL

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def _head(fault: Fault | None, url: str, status: int, headers: dict[str, str]) -> int:
    name = fault.name if fault is not None else ""
    if name in ("download: redirect in circles", "download: redirect to plain http"):
        return 302
    if name == "download: redirect" and "redirected" not in url:
        return 307
    return 206 if name == "download: another part" else status


def _changed(fault: Fault | None, url: str, headers: dict[str, str]) -> dict[str, str]:
    name = fault.name if fault is not None else ""
    if name == "download: redirect in circles" or (name == "download: redirect" and "redirected" not in url):
        return {"location": f"{url}&redirected=1"}
    if name == "download: redirect to plain http":
        return {"location": "http://storage.example/x?signature=canary-h"}
    if name == "download: compressed":
        return {**headers, "content-encoding": "gzip"}
    if name in ("download: chunked", "download: no length"):
        headers = {key: value for key, value in headers.items() if key != "content-length"}
        return {**headers, "transfer-encoding": "chunked"} if name == "download: chunked" else headers
    if name == "download: another part":
        return {**headers, "content-range": "bytes 1-2/3"}
    return headers


def _body(fault: Fault | None, content: bytes, vouched: bool) -> bytes:
    name = fault.name if fault is not None else ""
    # Without a checksum the client cannot detect it, and so is not blamed.
    if name == "download: another part" or (name == "download: other bytes" and vouched):
        return bytes(byte ^ 2 for byte in content)
    return content + b"too much" if name == "download: too long" else content
