"""One process of a fleet, told by a dictionary what to do; it says in JSON lines what came of it.

`name` is that of the machine it pretends to be; `manifest` makes it the one that begins the batch; with `release` it is
of another release of this package; with `stops_after_claim` it stops itself where nobody
else can, `patience` is how many seconds a server may be away, `permit` how long a claim may be used, unless it is not
`guarded` at all. `silence` is after how many seconds a silent worker is replaced; heartbeats and permits are shorter in
proportion.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import threading
from typing import Any


def _stop_after_claim() -> None:
    """Stand still, once, at the moment between a claim and the submission."""
    from magic_hour_workflows.batch._claims import Claim, Claims

    claim, stopped = Claims.claim, []

    def claim_and_stop(*given: Any, **named: Any) -> Claim:
        granted = claim(*given, **named)
        if granted is Claim.GRANTED and not stopped:
            stopped.append(True)
            # This thread, not the process: another thread would take the signal in its own time, and this one go on.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return granted

    Claims.claim = claim_and_stop  # type: ignore[method-assign]


def _shorten(silence: float) -> None:
    from magic_hour_workflows.batch import _engine as engine
    from magic_hour_workflows.batch import _fleet as fleet

    factor = silence / engine.SILENT_SECONDS
    engine.SILENT_SECONDS, engine.HEARTBEAT_SECONDS = silence, engine.HEARTBEAT_SECONDS * factor
    fleet.PERMIT_SECONDS *= factor


def _stay_until_idle() -> None:
    """Stay until the last try has come to its end, although all rows are saved by others."""
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
    if told.get("stops_after_claim"):
        _stop_after_claim()
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
