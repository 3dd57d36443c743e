"""One process of a fleet; a dictionary says what it does, and it reports in JSON lines.

`name` is the machine that it pretends to be; `manifest` makes it start the batch; `release` is the release of this
package that it pretends to have; `patience` is how many seconds a server may be away. A worker is replaced after
`silence` seconds, with heartbeats and permits in proportion; `permit` is how long a claim may be used, unless `guarded`
is False.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
from typing import Any


def _shorten(silence: float) -> None:
    from magic_hour_workflows.batch import _engine as engine
    from magic_hour_workflows.batch import _fleet as fleet

    factor = silence / engine.SILENT_SECONDS
    engine.SILENT_SECONDS, engine.HEARTBEAT_SECONDS = silence, engine.HEARTBEAT_SECONDS * factor
    fleet.PERMIT_SECONDS *= factor


def _stay_until_idle() -> None:
    """Stay until the last attempt ends, although all rows were saved by others."""
    from magic_hour_workflows.batch._run import Run

    over = Run.over
    Run.over = lambda self: over(self) and (self._engine is None or self._engine.idle())  # type: ignore[method-assign]


async def _unguarded(self: Any) -> None:
    """Send whatever was claimed once."""


def main(told: dict[str, Any]) -> int:
    socket.gethostname = lambda: str(told["name"])
    logging.basicConfig(
        stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.WARNING
    )
    if "release" in told:
        import magic_hour_workflows._version as version

        version.__version__ = told["release"]
    from magic_hour_workflows.batch import Batch

    if "patience" in told:
        import magic_hour_workflows.batch._connections as server

        server.AWAY_SECONDS = told["patience"]
    if "silence" in told:
        _shorten(told["silence"])
    if "permit" in told:
        from magic_hour_workflows.batch import _fleet as permit
        from magic_hour_workflows.batch import _submission as submission

        permit.PERMIT_SECONDS = told["permit"]
        _stay_until_idle()
        if not told.get("guarded", True):
            submission._SendPermit.check = _unguarded  # type: ignore[method-assign]
    batch = Batch(told.get("manifest"), **told["options"])
    signal.signal(signal.SIGTERM, lambda *_: batch.halt("it was told to end"))
    said = 0
    for result in batch.run():
        said += 1
        print(json.dumps({"key": result.key, "status": result.status}), flush=True)
    print(json.dumps({"ended": said, "halted": batch.halted}), flush=True)
    return 0
