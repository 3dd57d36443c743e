"""Mistakes with a client: its key, its address, its settings."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx

from .case import THIS_MACHINE, Case, Here, made, row


@row("no key")
def _(here: Here) -> list[Case]:
    return [made(token=None)]


@row("an empty key")
def _(here: Here) -> list[Case]:
    blank = [made(token=value) for value in ("", " ", "\n")]
    return [*blank, made(token=None, environment={"MAGIC_HOUR_API_KEY": ""})]


@row("a key with a space, a line break or `Bearer`")
def _(here: Here) -> list[Case]:
    values = ("mhk_test\n", "mhk test", "Bearer mhk_test", "mhk_tést")
    return [made(token=value) for value in values] + [
        made(token=None, environment={"MAGIC_HOUR_API_KEY": value}) for value in values
    ]


@row("a base URL without a scheme, with a password or a query")
def _(here: Here) -> list[Case]:
    values = ("127.0.0.1:1", "ftp://127.0.0.1:1", "https://127.0.0.1:1?x=1", "https://me:secret@127.0.0.1:1", "/v1")
    return [made(base_url=value) for value in values]


@row("such an address in the variable")
def _(here: Here) -> list[Case]:
    values = ("127.0.0.1:1", "https://127.0.0.1:1?x=1", "https://me:secret@127.0.0.1:1")
    return [made(base_url=None, environment={"MAGIC_HOUR_BASE_URL": value}) for value in values]


@row("a base URL that ends in `/v1`")
def _(here: Here) -> list[Case]:
    return [
        made(base_url=value)
        for value in ("https://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/", "https://127.0.0.1:1/a/v1")
    ]


@row("such an address with `/v1` in the variable")
def _(here: Here) -> list[Case]:
    return [made(base_url=None, environment={"MAGIC_HOUR_BASE_URL": "https://127.0.0.1:1/v1"})]


@row("a proxy variable that cannot be used")
def _(here: Here) -> list[Case]:
    return [made(environment={"HTTPS_PROXY": value}) for value in ("http://[proxy", "proxy:99999", "ftp://proxy:1")]


@row("`http://` to another machine")
def _(here: Here) -> list[Case]:
    return [made(base_url=f"http://{THIS_MACHINE}")]


@row("`http://` to another machine in the variable")
def _(here: Here) -> list[Case]:
    return [made(base_url=None, environment={"MAGIC_HOUR_BASE_URL": f"http://{THIS_MACHINE}"})]


@row('the word "no" for `allow_http`')
def _(here: Here) -> list[Case]:
    return [made(allow_http="no"), made(allow_http="no", base_url=f"http://{THIS_MACHINE}")]


@row("a poll interval variable that is not a number")
def _(here: Here) -> list[Case]:
    values = ("fast", "2,5", "2s", "mhk_test_canary")
    return [made(poll_interval=None, environment={"MAGIC_HOUR_POLL_INTERVAL": value}) for value in values]


@row("a poll interval variable below zero")
def _(here: Here) -> list[Case]:
    values = ("-1", "0", "nan", "inf")
    return [made(poll_interval=None, environment={"MAGIC_HOUR_POLL_INTERVAL": value}) for value in values]


@row("a `max_parallel` below 1")
def _(here: Here) -> list[Case]:
    return [made(max_parallel=value) for value in (0, -1, 1.5, True, "4", None)]


@row("a `max_credits` that is not a number of credits")
def _(here: Here) -> list[Case]:
    return [made(max_credits=value) for value in (-1, "500", True, float("nan"), float("inf"), 1e12)]


@row("an `assume_credits` that is not a number of credits")
def _(here: Here) -> list[Case]:
    return [made(assume_credits=value) for value in (-1, "50", True, float("nan"))]


@row("a job log that is not a file")
def _(here: Here) -> list[Case]:
    return [made(job_log=value) for value in ("", str(here.folder), here.folder, "https://127.0.0.1:1/jobs")]


@row("such a job log in the variable")
def _(here: Here) -> list[Case]:
    return [made(environment={"MAGIC_HOUR_JOB_LOG": str(here.folder)})]


@row("something that is not a path for a job log")
def _(here: Here) -> list[Case]:
    return [made(job_log=value) for value in (5, ["jobs.jsonl"], b"jobs.jsonl")]


@row("a `request_timeout` that is not a number above 0")
def _(here: Here) -> list[Case]:
    return [made(request_timeout=value) for value in (0, -1, "60", float("nan"))]


@row("an HTTP client of the other kind")
def _(here: Here) -> list[Case]:
    return [made(http_client=value) for value in (5, httpx, object())]


@row("an unknown setting of a client")
def _(here: Here) -> list[Case]:
    return [made(api_key="mhk_test"), made(max_retries=3)]


@row("a closed client")
def _(here: Here) -> list[Case]:
    def closed(client: Any) -> Generator[Any, Any, None]:
        yield client.close()
        yield lambda: client.v1.image_projects.get("cuid-1")

    return [Case(scenario=closed)]
