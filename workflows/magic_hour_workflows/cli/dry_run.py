"""`--dry-run`: the request that would be sent, and its cost.

Rule: it checks everything that `generate` checks before it uploads, sends nothing, and needs no API key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from magic_hour_client._runtime.endpoints import encoded
from magic_hour_client._runtime.settings import KEY_VARIABLE
from magic_hour_client.endpoints import endpoint

from .._client import Client
from .._credits import estimate
from .._flows.generate import prepare
from .._flows.upload import measure
from .flags import parameters
from .printing import size
from .stdin import dry_run_outputs, with_stdin
from .terminal import Terminal


def preview(
    terminal: Terminal,
    operation: str,
    values: Mapping[str, Any],
    extra_body: Any,
    *,
    timeout: float | None,
    poll_interval: float | None,
) -> None:
    """Print the request of a generate command.

    Raises:
        InvalidArgument: what `generate` would refuse.
    """
    called = endpoint(operation)
    given = parameters(operation, terminal.flags, with_stdin(terminal, values, dry_run_outputs))
    token = os.environ.get(KEY_VARIABLE) or "no-key-is-sent"
    with Client(token, base_url=terminal.base_url, allow_http=terminal.allow_http) as client:
        call = client.runner.begin(timeout, poll_interval)
        request, assets = prepare(call.backend, called, {**given, "extra_body": extra_body})
        url = f"{client.base_url}{request.path}"
    with closing(assets):
        for source in assets.sources:
            measure(source)
    files = [(source.name, source.size or 0) for source in assets.sources]
    assets.uploaded([f"<upload of {name}>" for name, _ in files])
    body = json.loads(encoded(request) or b"null")
    price = estimate(called, request.body)
    data = {
        "dry_run": True,
        "operation": operation,
        "method": called.method,
        "url": url,
        "body": body,
        "uploads": [{"name": name, "bytes": length} for name, length in files],
        "estimated_credits": {"credits": price.credits, "at_least": price.at_least},
    }
    uploads = [f"upload  {name}, {size(length)}" for name, length in files]
    lines = [
        f"{called.method} {url}",
        json.dumps(body, indent=2, ensure_ascii=False),
        *uploads,
        f"cost    {price}",
    ]
    terminal.result(data, lines)
