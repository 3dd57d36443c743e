"""A webhook event as a value, and how one is read.

Rule: tolerant. Whatever the service adds later (types, kinds, fields, statuses) is read as far as it is understood, and
never raises. Only what is not an event at all is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from magic_hour_client._runtime import schema
from magic_hour_client.endpoints import JOBS
from magic_hour_client.events import EVENTS

from .._webhook_errors import WebhookUnreadable

if TYPE_CHECKING:
    from magic_hour_client.events import EventName, Project

_PAYLOADS = {each.kind: each.payload for each in EVENTS.values()}
"""The model of a payload, by the kind of the job."""


@attrs.define(kw_only=True)
class UnknownProject(schema.Model):
    """A job of a kind that the contract lacks: what all kinds have in common.

    Attributes:
        id: the id of the job, if there is one.
        name: the name of the job, if it has one.
        status: its status.
        downloads: its outputs, as JSON. All other fields are in `additional_properties`.
    """

    id: str | None = None
    name: str | None = None
    status: str | None = None
    downloads: list[Any] = attrs.field(factory=list, repr=False)
    additional_properties: dict[str, Any] = attrs.field(init=False, factory=dict, repr=False)

    _fields = (
        schema.Field("id", "id", schema.STRING),
        schema.Field("name", "name", schema.STRING),
        schema.Field("status", "status", schema.STRING),
        schema.Field("downloads", "downloads", schema.List(schema.ANY), required=True),
    )


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """An event that the service sent, verified.

    Attributes:
        type: what happened, such as `video.completed`. New types may come.
        kind: what the job makes, such as `video`; None if the contract does not know the kind.
        payload: the job, as the service answers `get` for it; an `UnknownProject` if the kind is not known.
        sent_at: when the service sent it, in UTC. An event that is delivered again has a new time.

    Example:
        >>> from magic_hour_workflows.webhooks import sign, unwrap
        >>> body = b'{"type": "video.completed", "payload": {"id": "cuid-example", "status": "complete"}}'
        >>> event = unwrap(body, sign(body, "whsec_example"), "whsec_example")
        >>> event.type, event.kind, event.payload.status, event.ends_job
        ('video.completed', 'video', 'complete', True)
    """

    type: EventName | str
    kind: str | None
    payload: Project | UnknownProject = attrs.field(repr=False)
    sent_at: datetime

    @property
    def id(self) -> str | None:
        """The id of the job."""
        return _text(self.payload.id)

    @property
    def name(self) -> str | None:
        """The name of the job."""
        return _text(self.payload.name)

    @property
    def ends_job(self) -> bool:
        """Whether the job does not change any more: it is complete, has failed or was canceled."""
        if (known := EVENTS.get(self.type)) is not None:
            return known.ends_job
        states = None if self.kind is None else JOBS.get(self.kind)
        return states is not None and self.payload.status in (*states.done, *states.failed, *states.canceled)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def read_event(body: bytes, sent: int) -> WebhookEvent:
    """The event in a body that was sent at `sent`.

    Raises:
        WebhookUnreadable: it is not an event.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookUnreadable("it is not JSON") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("type"), str):
        raise WebhookUnreadable("it has no `type`")
    name = content["type"]
    known = EVENTS.get(name)
    kind = known.kind if known else name.partition(".")[0]
    model = _PAYLOADS.get(kind)
    payload = content.get("payload")
    if known and not isinstance(payload, Mapping):
        raise WebhookUnreadable("it has no `payload`")
    return WebhookEvent(
        type=name,
        kind=kind if model else None,
        payload=_payload(model, payload if isinstance(payload, Mapping) else {}),
        sent_at=datetime.fromtimestamp(sent, UTC),
    )


def _payload(model: str | None, payload: Mapping[str, Any]) -> Any:
    try:
        return (schema.Object(model).model() if model else UnknownProject).from_dict(payload)
    except schema.Unreadable as error:
        raise WebhookUnreadable(str(error)) from None
