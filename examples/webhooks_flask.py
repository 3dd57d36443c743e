"""Save each image as soon as the service says that it is complete, in a Flask application.

    export MAGIC_HOUR_WEBHOOK_SECRET=whsec_...
    flask --app webhooks_flask run

The handler runs in a thread of its own, after the service has got its answer.
"""

from __future__ import annotations

import os

from flask import Flask, Response, request

from magic_hour_workflows import Client
from magic_hour_workflows.errors import InboxUnavailable, WebhookRefused
from magic_hour_workflows.webhooks import Inbox, WebhookEvent

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
inbox = Inbox(os.environ["MAGIC_HOUR_WEBHOOK_SECRET"])


@inbox.on("image.completed")
def save(event: WebhookEvent) -> None:
    if event.id:
        with Client() as client:
            print(*client.v1.image_projects.download(event.id, "outputs"), sep="\n")


@app.post("/webhooks")
def webhooks() -> Response:
    try:
        inbox.receive(request.get_data(), request.headers)
    except (WebhookRefused, InboxUnavailable) as error:
        return Response(status=error.status)
    return Response()
