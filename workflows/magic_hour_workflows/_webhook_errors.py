"""What can be wrong with a webhook request. `errors` has these names too.

Rule: no message has a secret, a signature or anything else of the request. A forger learns nothing from the answer: all
refusals of a request that is not proved to be the service's have the same status.
"""

from __future__ import annotations

from typing import ClassVar

from magic_hour_client.errors import MagicHourError


class WebhookRefused(MagicHourError):
    """A webhook request is not accepted.

    Attributes:
        status: the HTTP status to answer with.
    """

    status: ClassVar[int] = 401


class WebhookHeaderMissing(WebhookRefused):
    """A header of the signature is missing, given twice or malformed. The request is not the service's.

    Attributes:
        header: its name.
    """

    def __init__(self, header: str, what: str) -> None:
        super().__init__(
            f"the webhook request was refused: its header `{header}` {what}",
            "pass the headers as they came, and check that a proxy keeps them",
        )
        self.header = header


class WebhookExpired(WebhookRefused):
    """The event was signed too long ago, or in the future: it may be a copy of an old one.

    Attributes:
        age: seconds since it was signed; negative for the future.
        tolerance: seconds that are allowed.
    """

    def __init__(self, age: float, tolerance: float) -> None:
        when = f"{age:,.0f} s ago" if age > 0 else f"{-age:,.0f} s in the future"
        super().__init__(
            f"the webhook request was refused: it was signed {when}, and {tolerance:g} s are allowed",
            "check the clock of this machine",
        )
        self.age = age
        self.tolerance = tolerance


class WebhookSignatureMismatch(WebhookRefused):
    """The signature fits none of the secrets: the request is not the service's, or its body was changed."""

    def __init__(self) -> None:
        super().__init__(
            "the webhook request was refused: its signature fits none of the secrets",
            "check that the secret is the one that the web app shows, and that the body is passed as it came",
        )


class WebhookUnreadable(WebhookRefused):
    """The signature is right, but the body is not an event."""

    status: ClassVar[int] = 400

    def __init__(self, why: str) -> None:
        super().__init__(f"the webhook request is signed, but cannot be read: {why}")


class InboxUnavailable(MagicHourError):
    """An inbox takes no more events: it is closed, or too many wait for their handlers.

    The service sends the event again later.

    Attributes:
        status: the HTTP status to answer with.
    """

    status: ClassVar[int] = 503


__all__ = [
    "InboxUnavailable",
    "WebhookExpired",
    "WebhookHeaderMissing",
    "WebhookRefused",
    "WebhookSignatureMismatch",
    "WebhookUnreadable",
]
