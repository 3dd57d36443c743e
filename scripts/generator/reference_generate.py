"""The section about `generate` on a reference page: what it takes besides the fields of `create`, and how it is called.

Rule: the calls use local files, as a reader has them, so that a copied one runs as soon as the files are there. The
section has the form of those that are written by hand.
"""

from __future__ import annotations

from typing import Any

from .contract import Contract
from .endpoint_views import EndpointView
from .examples import generate_call, local_arguments
from .models import ITEMS, AssetView
from .texts import code, markdown, printable

ANCHOR = '<a name="generate"></a>'
_OPTIONS = """\
- `wait_for_completion` (bool, default True): Wait until the job is complete.
- `download_outputs` (bool, default {download}): Save the outputs, if the call waits.
- `download_directory` (str or path, optional): Where to save. The current directory by default; created if missing.
- `output_name` (str, optional): A file name for the outputs, numbered if there are several; `<id>-<n>` by default.
- `timeout` (float, default 1800): Limit of the whole call in seconds.
- `poll_interval` (float, optional): Polling interval in seconds; growing from 1 to 30 by default.
- `on_progress` (function, optional): Called with an event for everything that happens.
- `extra_body` (dict, optional): Fields that are not in the contract yet.

[Workflows](../workflows.md) has the details and the errors."""


def section(view: EndpointView, contract: Contract, *, saves: bool) -> list[str]:
    """The lines of the section; `saves` is whether outputs are saved by default."""
    values = local_arguments(view, contract)
    values |= ({} if saves else {"download_outputs": True}) | {"download_directory": "outputs"}
    return [
        f"### {markdown(view.summary_line)} Generate Workflow {ANCHOR}",
        "",
        f"The whole job in one call: it {_steps(view, saves=saves)}.",
        "",
        "> [!TIP]",
        "> Use this method unless you need the steps one by one.",
        "",
        "#### Parameters",
        "",
        *_files(view.assets),
        f"Besides the parameters of `{view.method_name}` below, `generate` takes:",
        "",
        *_OPTIONS.format(download=saves).splitlines(),
        "",
        "#### Synchronous Client",
        "",
        *_snippet(view, values, "Client", "client"),
        "",
        "#### Asynchronous Client",
        "",
        *_snippet(view, values, "AsyncClient", "await client"),
        "",
        *_command(view),
    ]


def _steps(view: EndpointView, *, saves: bool) -> str:
    end = "saves the outputs" if saves else "returns the result"
    return f"{'uploads local files, ' if view.assets else ''}submits the job, waits until it is complete and {end}"


def _files(assets: list[AssetView]) -> list[str]:
    """Which fields take files, and of what kinds."""
    if not assets:
        return []
    names = [(".".join(asset.path).replace(f".{ITEMS}", "[]"), " or ".join(asset.roles)) for asset in assets]
    fields = [f"- `{code(name)}`: {kinds}" for name, kinds in names]
    return ["These fields also take local files (paths, open files or bytes):", "", *fields, ""]


def _snippet(view: EndpointView, values: dict[str, Any], client: str, opening: str) -> list[str]:
    call = generate_call(view, values, opening)
    return [
        "```python",
        f"from magic_hour_workflows import {client}",
        "from os import getenv",
        "",
        f'client = {client}(token=getenv("API_TOKEN"))',
        f"res = {call[0]}",
        *call[1:],
        "```",
    ]


def _command(view: EndpointView) -> list[str]:
    """The same in a terminal, if the operation is a command there."""
    written = (view.source.get("x-command") or {}).get("examples") or []
    examples = [printable(example).replace("\n", " ") for example in written if "```" not in str(example)]
    return ["#### Command Line", "", "```sh", *examples, "```", ""] if examples else []
