"""Webhooks: events that the service sends when a job starts, completes or fails.

    from magic_hour_workflows.webhooks import Inbox

    inbox = Inbox("whsec_…")

    @inbox.on("video.completed")
    def save(event):
        print(event.id, event.payload.downloads)

`inbox.asgi` and `inbox.wsgi` are applications to mount in a web framework. `unwrap` checks one request, without memory
and handlers; `sign` makes the headers of one, for tests.
"""

from __future__ import annotations

from ._events import UnknownProject, WebhookEvent
from ._inbox import Inbox, unwrap
from ._signatures import sign

__all__ = ["Inbox", "UnknownProject", "WebhookEvent", "sign", "unwrap"]
