"""The service as the contract describes it, and the ledger that decides what is true: pure Python, no sockets.

Rule: the model is correct. It charges once for each create it accepts and records it; whatever goes wrong happens in
the network (`faults`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

import attrs
import httpx

from .storage import ORIGIN, START, Storage, Stored

KEY = "mhk_canary_of_the_simulation"
BASE_URL = "https://api.example"
KINDS = {
    "/v1/ai-headshot-generator": "image",
    "/v1/ai-image-editor": "image",
    "/v1/ai-image-generator": "image",
    "/v1/ai-talking-photo": "video",
}


@attrs.define
class Job:
    """One accepted create, as in the ledger."""

    id: str
    kind: str
    body: Mapping[str, Any]
    charged: float
    accepted_at: float
    visible_at: float
    queued: float
    duration: float
    """Seconds from acceptance to the end; infinite for a stuck job."""
    end: str
    outputs: list[Stored]
    listed_at: float
    """When responses list the outputs; may be a little later than `complete`."""
    deleted: bool = False

    @property
    def name(self) -> str | None:
        return self.body.get("name")

    def status(self, now: float) -> str:
        age = now - self.accepted_at
        if age >= self.duration:
            return self.end
        return "queued" if age < self.queued else "rendering"

    def net(self, now: float) -> float:
        """The credits it costs at this time."""
        return 0 if self.status(now) == "error" else self.charged


class Service:
    """Answers requests and keeps the ledger."""

    def __init__(self, random: Random, storage: Storage) -> None:
        self.random = random
        self.storage = storage
        self.ledger: list[Job] = []
        self.complaints: list[str] = []
        self.fractional = random.random() < 0.2
        self.end_weights = random.choice([(1, 0, 0, 0), (8, 2, 1, 1)])
        self.scale = random.choice([1.0, 8.0, 60.0, 600.0])

    def job(self, id: str) -> Job | None:
        return next((job for job in self.ledger if job.id == id), None)

    def answer(self, request: httpx.Request, now: float) -> httpx.Response:
        """Carry out a request that has arrived, and respond."""
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _refusal(401, "unauthorized")
        path = request.url.path
        if path == "/v1/files/upload-urls":
            return self._places(json.loads(request.content), now)
        if path in KINDS:
            return self._create(KINDS[path], json.loads(request.content), now)
        return self._project(request.method, path, now)

    def _places(self, body: Mapping[str, Any], now: float) -> httpx.Response:
        items = [self.storage.upload_url(item["extension"], now) for item in body["items"]]
        return httpx.Response(200, json={"items": items})

    def _create(self, kind: str, body: Mapping[str, Any], now: float) -> httpx.Response:
        for path in _asset_paths(body):
            if path.startswith("api-assets/") and path not in self.storage.uploaded:
                self.complaints.append(f"a create names {path}, which was not uploaded")
        if kind == "video" and body["end_seconds"] <= body["start_seconds"]:
            self.complaints.append("a clip that ends before it begins reached the service")
            return _refusal(422, "unprocessable_entity")
        job = self._accept(kind, body, now)
        return httpx.Response(
            200, json={"id": job.id, "credits_charged": job.charged, "frame_cost": job.charged, "new_field": {"a": 1}}
        )

    def _accept(self, kind: str, body: Mapping[str, Any], now: float) -> Job:
        random = self.random
        end = random.choices(["complete", "error", "canceled", "stuck"], self.end_weights)[0]
        duration = random.uniform(0, self.scale) if end != "stuck" else float("inf")
        number = len(self.ledger) + 1
        count = random.choices([0, 1, 2, 3, 4], [1, 4, 4, 4, 4])[0] if end == "complete" else 0
        id = f"job-{number}"
        late = random.choice([0.0, 0.0, 0.0, 2.5])
        job = Job(
            id=id,
            kind=kind,
            body=body,
            charged=random.randint(1, 90) + (0.5 if self.fractional else 0),
            accepted_at=now,
            visible_at=now + random.choice([0.0, 0.0, 2.5, 8.0]),
            queued=min(duration, self.scale) * random.random(),
            duration=duration,
            end=end,
            outputs=[
                self.storage.output(f"{id}/{n}/output.{'png' if kind == 'image' else 'mp4'}") for n in range(count)
            ],
            listed_at=now + duration + late,
        )
        self.ledger.append(job)
        return job

    def _project(self, method: str, path: str, now: float) -> httpx.Response:
        _, _, folder, id = path.split("/")
        job = self.job(id)
        if job is None or f"{job.kind}-projects" != folder or now < job.visible_at or job.deleted:
            return _refusal(404, "not_found")
        if method == "DELETE":
            job.deleted = True
            return httpx.Response(204)
        return httpx.Response(200, json=self._described(job, now))

    def _described(self, job: Job, now: float) -> dict[str, Any]:
        status = job.status(now)
        listed = job.outputs if status == "complete" and now >= job.listed_at else []
        # The message may contain a signed URL, which must not reach any other message.
        secret = f"cannot read {ORIGIN}/x.png?signature=canary-in-words"
        return {
            "id": job.id,
            "name": job.name,
            "status": "rendering" if status == "stuck" else status,
            "created_at": (START + timedelta(seconds=job.accepted_at)).isoformat(),
            "enabled": True,
            "type": "AI_IMAGE",
            "image_count": len(job.outputs),
            "credits_charged": job.net(now),
            "downloads": [self.storage.signed(stored, now) for stored in listed],
            "error": {"code": "no_source_face", "message": secret} if status == "error" else None,
        }


def _asset_paths(body: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for value in (body.get("assets") or {}).values():
        found += value if isinstance(value, list) else [value]
    return found


def _refusal(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": f"no, {KEY}"})
