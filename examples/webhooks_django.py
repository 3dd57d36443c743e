"""Save each image as soon as the service says that it is complete, in a Django project.

    export MAGIC_HOUR_WEBHOOK_SECRET=whsec_...
    python webhooks_django.py runserver

In a project of yours, the inbox and the view go into an application; the settings stay where they are.
"""

from __future__ import annotations

import os
import sys

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from magic_hour_workflows import Client
from magic_hour_workflows.errors import InboxUnavailable, WebhookRefused
from magic_hour_workflows.webhooks import Inbox, WebhookEvent

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY=os.urandom(32).hex(), USE_TZ=True)
inbox = Inbox(os.environ["MAGIC_HOUR_WEBHOOK_SECRET"])


@inbox.on("image.completed")
def save(event: WebhookEvent) -> None:
    if event.id:
        with Client() as client:
            print(*client.v1.image_projects.download(event.id, "outputs"), sep="\n")


def webhooks(request: HttpRequest) -> HttpResponse:
    try:
        inbox.receive(request.body, request.headers)  # pyright: ignore[reportArgumentType]  (Django has no types)
    except (WebhookRefused, InboxUnavailable) as error:
        return HttpResponse(status=error.status)
    return HttpResponse()


# The service has no cookie; its signature is checked instead.
urlpatterns = [path("webhooks", csrf_exempt(require_POST(webhooks)))]
application = WSGIHandler()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
