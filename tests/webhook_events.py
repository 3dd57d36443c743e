"""Events as the service sends them, and handlers that are waited for without a clock."""

from __future__ import annotations

import json
from typing import Any

SECRET = "whsec_canary-secret"
LIMIT = 30.0
"""Seconds after which a test gives up; no test waits for that."""


def event_body(type: str = "image.completed", id: str = "job-1", **payload: Any) -> bytes:
    """The body of an event; its payload is what `get` would answer."""
    status = {"started": "rendering", "completed": "complete", "errored": "error"}.get(type.partition(".")[2], "new")
    return json.dumps(
        {"type": type, "payload": {"id": id, "name": f"name of {id}", "status": status} | payload}
    ).encode()
