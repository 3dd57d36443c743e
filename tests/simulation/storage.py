"""The storage on its own origin: signed URLs that expire, ETags, ranges.

Rule: correct as well. It holds what was uploaded, and an output has the bytes that the judge compares with.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

ORIGIN = "https://storage.example"
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_EXPIRED = (400, 401, 403, 404, 410)


@attrs.define(eq=False)
class Stored:
    """An output."""

    path: str
    versions: list[bytes]
    tag: str | None
    ranges: bool
    checksum: bool = False
    """Whether a checksum is sent."""

    @property
    def content(self) -> bytes:
        return self.versions[-1]

    def checksum_header(self) -> dict[str, str]:
        """The checksum as a header, if it is sent."""
        digest = base64.b64encode(hashlib.sha256(self.content).digest()).decode()
        return {"x-amz-checksum-sha256": digest} if self.checksum else {}

    def etag(self) -> str | None:
        """The tag of this version; a weak one stays the same when bytes change."""
        return self.tag and self.tag.replace("N", str(len(self.versions)))


class Storage:
    """Accepts uploads and serves outputs, with signed URLs that have not expired."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.uploaded: dict[str, bytes] = {}
        self.outputs: dict[str, Stored] = {}
        self.lifetime = random.choice([86400.0, 86400.0, 20.0, 1.0])
        self._numbers = count(1)

    def output(self, path: str) -> Stored:
        random = self.random
        content = random.randbytes(
            random.choice([1, 2, 700, 3000]) if random.random() < 0.3 else random.randint(1, 2000)
        )
        content = b"\0" + content[1:]  # like media: text would be refused
        tag = random.choice(['"N"', '"N"', 'W/"same"', None])
        ranges = random.random() < 0.8
        checksum = tag == '"N"' and random.random() < 0.5  # otherwise it would hide what a weak tag does
        self.outputs[f"/{path}"] = stored = Stored(path, [content], tag, ranges, checksum)
        return stored

    def upload_url(self, extension: str, now: float) -> dict[str, Any]:
        """An upload URL for one file."""
        path = f"api-assets/id/{next(self._numbers)}.{extension}"
        return {"upload_url": self._url(path, now), "expires_at": self._expiry(now), "file_path": path}

    def signed(self, stored: Stored, now: float) -> dict[str, Any]:
        return {"url": self._url(stored.path, now), "expires_at": self._expiry(now)}

    def _url(self, path: str, now: float) -> str:
        return f"{ORIGIN}/{path}?signature=canary-{next(self._numbers)}&until={now + self.lifetime!r}"

    def _expiry(self, now: float) -> str:
        return (START + timedelta(seconds=now + self.lifetime)).isoformat()

    def refusal(self, url: str, now: float) -> int | None:
        """The status for a URL that has expired; None for one that has not."""
        [until] = parse_qs(urlsplit(url).query)["until"]
        return self.random.choice(_EXPIRED) if now > float(until) else None

    def put(self, url: str, content: bytes) -> None:
        self.uploaded[urlsplit(url).path.lstrip("/")] = content

    def get(self, url: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the response to a GET."""
        stored = self.outputs[urlsplit(url).path]
        tag, content = stored.etag(), stored.content
        answer = {"etag": tag} if tag else {}
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if asked and stored.ranges and headers.get("if-range") == tag:
            start = int(asked[1])
            if start >= len(content):
                return 416, {"content-range": f"bytes */{len(content)}"}, b""
            answer["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return 206, {**answer, "content-length": str(len(content) - start)}, content[start:]
        return 200, {**answer, **stored.checksum_header(), "content-length": str(len(content))}, content
