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

import time

from ._events import UnknownProject, WebhookEvent
from ._inbox import Inbox, unwrap
from ._signatures import checked_body, checked_secrets, signed_headers


def sign(body: bytes, secret: str, timestamp: float | None = None) -> dict[str, str]:
    """The headers of a webhook request, as the service makes them: for tests.

    Args:
        body: the raw bytes of the request.
        secret: the secret of the webhook.
        timestamp: when it is sent, in seconds since 1970. Default: now.

    Returns:
        The two headers of the signature, by their names.

    Raises:
        InvalidArgument: an argument is invalid.

    Example:
        >>> sign(b"{}", "whsec_example", timestamp=1_700_000_000)["magic-hour-event-timestamp"]
        '1700000000'
    """
    [checked] = checked_secrets((secret,))
    return signed_headers(checked_body(body), checked, time.time() if timestamp is None else timestamp)


__all__ = ["Inbox", "UnknownProject", "WebhookEvent", "sign", "unwrap"]
