"""What goes wrong between a caller and the service, in every phase of an exchange.

Rule: a fault says what happened and when, so that the judge knows the truth; the flows decide what to do about it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from random import Random
from typing import Any

import attrs
import httpx

from .service import KEY


class Phase(Enum):
    """Where in an exchange something goes wrong."""

    BEFORE = "before the first byte"
    LOST = "on the way there"
    INSTEAD = "something in between answers, and the service never saw it"
    REFUSED = "the service refuses"
    SLOWED = "the service is too busy"
    AFTER = "on the way back"
    REPLACED = "the service did it, and something in between answers"
    GARBLED = "the service did it, and its answer cannot be read"
    ODD = "the answer is not quite what was promised"
    BODY = "while the bytes of a file travel"


@attrs.frozen
class Fault:
    """One way to fail."""

    name: str
    phase: Phase
    error: type[Exception] | None = None
    """Raised as the HTTP library would; a timeout only when the time is up."""
    status: int = 0
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""

    def response(self) -> httpx.Response:
        return httpx.Response(self.status, headers=dict(self.headers), content=self.body)


HTML = b"<html><h1>Bad Gateway</h1></html>"
WORDS = json.dumps({"message": f"Service Unavailable, {KEY}, https://a.example/x?signature=canary-b"}).encode()
CODED = json.dumps({"code": "internal", "message": f"try later, {KEY}"}).encode()

BEFORE = [
    Fault("name not found", Phase.BEFORE, httpx.ConnectError),
    Fault("TLS failed", Phase.BEFORE, httpx.ConnectError),
    Fault("proxy failed", Phase.BEFORE, httpx.ProxyError),
    Fault("connect timeout", Phase.BEFORE, httpx.ConnectTimeout),
    Fault("pool timeout", Phase.BEFORE, httpx.PoolTimeout),
]
UNWRITTEN = Fault("closed before the first byte", Phase.BEFORE, httpx.WriteError)
"""Only paid calls observe that nothing was written."""
LOST = [
    Fault("reset on the way", Phase.LOST, httpx.ReadError),
    Fault("broken pipe", Phase.LOST, httpx.WriteError),
    Fault("swallowed", Phase.LOST, httpx.ReadTimeout),
]
AFTER = [
    Fault("reset after it arrived", Phase.AFTER, httpx.ReadError),
    Fault("closed after it arrived", Phase.AFTER, httpx.RemoteProtocolError),
    Fault("no answer", Phase.AFTER, httpx.ReadTimeout),
]


def _gateway(phase: Phase) -> list[Fault]:
    where = "instead" if phase is Phase.INSTEAD else "after"
    faults = [
        Fault(f"{status} {where}", phase, status=status, body=CODED if status == 500 else HTML)
        for status in (302, 307, 408, 409, 425, 500, 502, 503, 504, 520)
    ]
    return [*faults, Fault(f"503 in words {where}", phase, status=503, body=WORDS)]


REFUSED = [
    Fault(f"{status}", Phase.REFUSED, status=status, body=CODED if status % 2 else HTML)
    for status in (400, 401, 402, 403, 404, 405, 410, 413, 422, 451)
]
SLOWED = [
    Fault("429", Phase.SLOWED, status=429, body=WORDS),
    *(
        Fault(f"{status} for {seconds} s", Phase.SLOWED, status=status, headers={"retry-after": seconds}, body=HTML)
        for status in (429, 503)
        for seconds in ("0", "2.5", "20", "3600")
    ),
    Fault("503 with a code", Phase.SLOWED, status=503, body=CODED),
]
GARBLED = [
    Fault("HTML with 200", Phase.GARBLED, status=200, body=HTML),
    Fault("nothing with 200", Phase.GARBLED, status=200),
    Fault("a list with 200", Phase.GARBLED, status=200, body=b"[1]"),
    Fault("no fields with 200", Phase.GARBLED, status=200, body=b"{}"),
    Fault("cut JSON", Phase.GARBLED, status=200, body=b'{"id": "job-1", "sta'),
]
ODD_CREATED: dict[str, dict[str, Any]] = {
    "created: credits missing": {"credits_charged": ...},
    "created: credits null": {"credits_charged": None},
    "created: deprecated field missing": {"frame_cost": ...},
}
ODD_PROJECT: dict[str, dict[str, Any]] = {
    "project: another job": {"id": "job-of-somebody-else", "status": "complete"},
    "project: id null": {"id": None},
    "project: unknown status": {"status": "upscaling"},
    "project: status null": {"status": None},
    "project: status missing": {"status": ...},
    "project: downloads null": {"downloads": None},
    "project: downloads missing": {"downloads": ...},
    "project: credits null": {"credits_charged": None},
    "project: new field": {"shiny": [1, {"x": None}]},
    "project: bad date": {"created_at": "yesterday"},
    "project: almost empty": dict.fromkeys(("name", "created_at", "enabled", "type", "image_count", "error"), ...),
}
ODD_PLACES: dict[str, dict[str, Any]] = {"places: none": {"items": []}}
ODD = {**ODD_CREATED, **ODD_PROJECT, **ODD_PLACES}
PUT = [
    Fault("upload: cut", Phase.BODY, httpx.WriteError),
    Fault("upload: stall", Phase.BODY, httpx.WriteTimeout),
    Fault("upload: stored, answer lost", Phase.AFTER, httpx.ReadError),
    Fault("upload: 500", Phase.INSTEAD, status=500),
    Fault("upload: 503 for 2.5 s", Phase.SLOWED, status=503, headers={"retry-after": "2.5"}),
    Fault("upload: 413", Phase.REFUSED, status=413),
    Fault("upload: 403", Phase.REFUSED, status=403),
]
GET = [
    Fault("download: reset", Phase.LOST, httpx.ReadError),
    Fault("download: cut", Phase.BODY, httpx.RemoteProtocolError),
    Fault("download: quiet cut", Phase.BODY),
    Fault("download: too long", Phase.BODY),
    Fault("download: stall", Phase.BODY, httpx.ReadTimeout),
    Fault("download: disk full", Phase.BODY),
    Fault("download: another version", Phase.ODD),
    Fault("download: other bytes", Phase.ODD),
    Fault("download: chunked", Phase.ODD),
    Fault("download: redirect", Phase.ODD),
    Fault("download: redirect in circles", Phase.ODD),
    Fault("download: redirect to plain http", Phase.ODD),
    Fault("download: compressed", Phase.ODD),
    Fault("download: no length", Phase.ODD),
    Fault("download: another part", Phase.ODD),
    Fault("download: 500", Phase.INSTEAD, status=500),
    Fault("download: 429 for 2.5 s", Phase.SLOWED, status=429, headers={"retry-after": "2.5"}),
    Fault("download: 503 for 3600 s", Phase.SLOWED, status=503, headers={"retry-after": "3600"}),
    Fault("download: 403", Phase.REFUSED, status=403),
]

RESUMED = [
    fault for fault in GET if fault.name in ("download: cut", "download: another version", "download: another part")
]
"""Cuts are drawn more often; what can go wrong when a download resumes is drawn after one."""
OTHER_BYTES = next(fault for fault in GET if fault.name == "download: other bytes")
"""Drawn more often too, because it requires a storage that sends checksums."""


ODD_FAULTS = [Fault(name, Phase.ODD) for name in ODD]
API = [
    *BEFORE, UNWRITTEN, *LOST, *_gateway(Phase.INSTEAD), *REFUSED, *SLOWED, *AFTER, *_gateway(Phase.REPLACED), *GARBLED,
]  # fmt: skip
EVERY = {fault.name for fault in [*API, *ODD_FAULTS, *PUT, *GET]} | {"silent stream"}


def applied(fault: Fault, response: httpx.Response) -> httpx.Response:
    """The response with its oddities; `...` leaves a field out."""
    body = dict(json.loads(response.content))
    for name, value in ODD[fault.name].items():
        body.pop(name, None) if value is ... else body.update({name: value})
    return httpx.Response(response.status_code, json=body)


class Weather:
    """Which faults occur in this run, how often, and how slow everything is."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.rates = {
            "api": random.choice([0.0, 0.03, 0.1, 0.1, 0.3, 0.6]),
            "storage": random.choice([0.0, 0.1, 0.3, 0.6]),
        }
        self.phases = {phase for phase in Phase if random.random() < 0.6}
        self.slowness = random.choice([0.01, 0.1, 0.6, 4.0])
        self.disk = random.choice([0.0, 0.2, 0.2])
        """The longest time that work on the disk takes; it is short and has no deadline."""
        self.outages = [self._outage(kind) for kind in ("api", "storage") if random.random() < 0.3]

    def _outage(self, where: str) -> tuple[str, float, float]:
        begins = self.random.uniform(0, 60)
        return where, begins, begins + self.random.uniform(1, 120)

    def seconds(self) -> float:
        """How long a step takes; occasionally ten times as long as usual."""
        usual = self.slowness * self.random.uniform(0.1, 1.5)
        return usual * 10 if self.random.random() < 0.08 else usual

    def of_api(self, name: str, charges: bool, now: float) -> Fault | None:
        what = (
            "created"
            if charges
            else "project"
            if name.endswith("projects.get")
            else "places"
            if "urls" in name
            else "-"
        )
        odd = [fault for fault in ODD_FAULTS if fault.name.startswith(what)]
        return self._draw("api", [*(fault for fault in API if charges or fault is not UNWRITTEN), *odd], now)

    def of_put(self, now: float) -> Fault | None:
        return self._draw("storage", [*BEFORE, *PUT], now)

    def of_get(self, now: float, begun: bool) -> Fault | None:
        if begun and self.rates["storage"] and Phase.BODY in self.phases and self.random.random() < 0.5:
            return self.random.choice(RESUMED)
        return self._draw("storage", [*BEFORE, *GET, *RESUMED[:1] * 6, *[OTHER_BYTES] * 3], now)

    def silent(self) -> bool:
        return self.random.random() < self.rates["storage"] * 0.1

    def _draw(self, where: str, faults: list[Fault], now: float) -> Fault | None:
        if any(place == where and begins <= now < ends for place, begins, ends in self.outages):
            return self.random.choice(BEFORE[:3])
        if self.random.random() >= self.rates[where]:
            return None
        possible = [fault for fault in faults if fault.phase in self.phases]
        if where == "api" and possible:  # first the phase, then the fault: otherwise the longest list would dominate
            phases = list(dict.fromkeys(fault.phase for fault in possible))
            phase = self.random.choice([*phases, *(phase for phase in phases if phase is Phase.ODD)])
            possible = [fault for fault in possible if fault.phase is phase]
        return self.random.choice(possible) if possible else None
