"""How far a call travels: the functions and files of ours that one warm edit of a local file goes through.

    python benchmarks/trace_edit.py [--calls]

The service is a function in this process, so every run counts the same. The second edit is counted; what the first
one loads is not. With `--calls` it also lists every call.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import httpx

import magic_hour_workflows
from magic_hour_workflows import Client

PROJECT = str(Path(magic_hour_workflows.__file__ or "").parents[2])
ROOTS = (f"{PROJECT}/generated/", f"{PROJECT}/workflows/")
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)
STORAGE = "https://storage.example.com"


def service(request: httpx.Request) -> httpx.Response:
    """The service and its storage: every job is complete at once."""
    request.read()
    if request.method == "PUT":
        return httpx.Response(200, headers={"content-length": "0"})
    if request.url.host == "storage.example.com":
        headers = {"content-type": "image/png", "content-length": str(len(PICTURE))}
        return httpx.Response(200, stream=httpx.ByteStream(PICTURE), headers=headers)
    if request.url.path.endswith("/upload-urls"):
        item = {"upload_url": f"{STORAGE}/in.png", "file_path": "api-assets/id/in.png", "expires_at": "2030-01-01"}
        return httpx.Response(200, json={"items": [item]})
    if request.method == "POST":
        return httpx.Response(200, json={"id": "job-1", "credits_charged": 50})
    downloads = [{"url": f"{STORAGE}/out.png", "expires_at": "2030-01-01"}]
    done = {"id": "job-1", "status": "complete", "credits_charged": 50, "downloads": downloads}
    return httpx.Response(200, json=done)


class Trace:
    """The calls of our own functions, in their order."""

    def __init__(self) -> None:
        self.calls: list[CodeType] = []

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(ROOTS):
            self.calls.append(frame.f_code)

    def __str__(self) -> str:
        files = [code.co_filename for code in self.calls]
        changes = sum(1 for before, after in pairwise(files) if before != after)
        return f"{len(files)} calls, {len(set(files))} files, {changes} changes of file"


def trace_edit(client: Client, picture: Path, folder: Path) -> Trace:
    """The trace of one edit."""
    trace = Trace()
    sys.setprofile(trace)
    try:
        client.v1.ai_image_editor.generate(
            assets={"image_file_paths": [str(picture)]},
            style={"prompt": "Give me sunglasses"},
            download_directory=folder,
        )
    finally:
        sys.setprofile(None)
    return trace


def main() -> None:
    """Print the trace of the second edit."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        httpx.Client(transport=httpx.MockTransport(service)) as http,
        Client("no-key", poll_interval=0.01, http_client=http) as client,
    ):
        folder = Path(temporary)
        (picture := folder / "portrait.png").write_bytes(PICTURE)
        trace_edit(client, picture, folder)
        trace = trace_edit(client, picture, folder)
    print(trace)
    if "--calls" in sys.argv:
        for code in trace.calls:
            print(f"{Path(code.co_filename).relative_to(Path(code.co_filename).parents[2])}: {code.co_qualname}")


if __name__ == "__main__":
    main()
