"""Save each image as soon as the service says that it is complete, in a FastAPI application.

    export MAGIC_HOUR_WEBHOOK_SECRET=whsec_...
    uvicorn webhooks_fastapi:app

The handler runs in the event loop of the application, after the service has got its answer.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from magic_hour_workflows import AsyncClient
from magic_hour_workflows.webhooks import Inbox, WebhookEvent

inbox = Inbox(os.environ["MAGIC_HOUR_WEBHOOK_SECRET"])


@inbox.on("image.completed")
async def save(event: WebhookEvent) -> None:
    if event.id:
        async with AsyncClient() as client:
            paths = await client.v1.image_projects.download(event.id, "outputs")
        print(*paths, sep="\n")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with inbox:  # at the end, waits for handlers
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/webhooks", inbox.asgi)
