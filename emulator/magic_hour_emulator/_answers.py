"""The state of a job as its GET answers it.

Rule: every field that can be known is here once, whatever the kind of the job; the contract's schema decides which of
them an answer has.
"""

from typing import Any

from ._clock import timestamp
from ._jobs import Job

__all__ = ["cost_fields", "describe"]

Json = dict[str, Any]


def cost_fields(credits: int) -> Json:
    """What a job costs, also under the deprecated names (spec/) that older clients require."""
    return {
        "credits_charged": credits,
        **dict.fromkeys(("frame_cost", "estimated_frame_cost", "total_frame_cost"), credits),
    }


def describe(job: Job, places: list[Json]) -> Json:
    """A job, with its outputs if it is complete: `path` in storage, `url` and `expires_at` of each."""
    downloads = [{"url": place["url"], "expires_at": place["expires_at"]} for place in places]
    found: Json = {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "type": job.type,
        "created_at": timestamp(job.created_at),
        "enabled": True,
        **cost_fields(job.credits_charged),
        "image_count": job.count,
        **_clip_fields(job),
        "downloads": downloads,
        "download": downloads[0] if downloads else None,
        "error": {"message": job.error.message, "code": job.error.code} if job.error else None,
    }
    if job.emulation.outputs is not None:
        found[job.emulation.outputs] = [{"path": place["path"], "url": place["url"]} for place in places]
    return found


def _clip_fields(job: Job) -> Json:
    """Size, part and frame rate of a video; until it is complete, -1 and estimates, as on the service."""
    clip = job.clip
    if job.status != "complete" or clip is None:
        start = job.body.get("start_seconds", 0.0)
        end = job.body.get("end_seconds", start + job.emulation.seconds)
        return {"width": -1, "height": -1, "fps": 30.0, "start_seconds": start, "end_seconds": end}
    return {
        "width": clip.width,
        "height": clip.height,
        "fps": float(clip.fps),
        "start_seconds": clip.start_seconds,
        "end_seconds": clip.end_seconds,
    }
