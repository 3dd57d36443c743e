"""Whether the server is the bottleneck: how many requests of bare sockets it answers, which cost next to nothing.

Rule: the server has to answer several times as many requests as the quickest contestant asks for.
"""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

from .race import Effort, Figures, alternate, column, run, serving
from .table import OURS, RAW, Samples

_REQUEST = b"GET /v1/image-projects/some HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n"
_CONNECTIONS = 8


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """Requests per second: bare sockets under our name, raw httpx under its own."""
    if "server/requests" not in wanted:
        return {}
    times = effort.times(5000, 1000)
    with serving() as server:

        def one(who: str) -> Figures | None:
            began = time.perf_counter()
            if who == OURS:
                _bare(server.url, times)
                return {"rate": times / (time.perf_counter() - began)}
            figures = run(who, "get_sync", {"url": server.url, "times": times})
            return figures and {"rate": 1 / figures["seconds"]}

        return {"server/requests": column(alternate((OURS, RAW), 3, one), "rate")}


def _bare(url: str, times: int) -> None:
    """Send requests on several connections at once, and read the answers without parsing them."""
    parts = urlsplit(url)
    sockets = [socket.create_connection((parts.hostname or "", parts.port or 0)) for _ in range(_CONNECTIONS)]
    for _ in range(times // _CONNECTIONS):
        for connection in sockets:
            connection.sendall(_REQUEST)
        for connection in sockets:
            connection.recv(65536)
    for connection in sockets:
        connection.close()
