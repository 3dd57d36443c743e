"""One client in several processes or event loops: connections are never shared between them."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import socket
import sys

import pytest

from magic_hour_client import AsyncClient, Client
from servers import serving


def echo(connection: socket.socket, head: bytes) -> None:
    """Answers every request on a kept connection with the id that was asked for."""
    while head:
        [asked] = re.findall(rb"/v1/image-projects/(\S+)", head)
        body = json.dumps({"id": asked.decode(), "status": "queued"}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        head = connection.recv(4096)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_opens_connections_of_its_own() -> None:
    with serving(echo) as server, Client(token="x", base_url=server.url) as client:
        client.v1.image_projects.get("before")
        child = os.fork()
        if child == 0:
            wrong = sum(client.v1.image_projects.get(f"c{n}").id != f"c{n}" for n in range(20))
            os._exit(wrong)
        wrong = sum(client.v1.image_projects.get(f"p{n}").id != f"p{n}" for n in range(20))
        _, status = os.waitpid(child, 0)
        assert (wrong, os.waitstatus_to_exitcode(status)) == (0, 0)
        assert server.connections == 2


@pytest.mark.skipif(sys.platform == "win32", reason="the proactor loop warns of its own connections")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_client_outlives_an_event_loop() -> None:
    with serving(echo) as server:
        client = AsyncClient(token="x", base_url=server.url)

        async def get(id: str) -> str:
            return (await client.v1.image_projects.get(id)).id

        assert [asyncio.run(get("a")), asyncio.run(get("b"))] == ["a", "b"]
        asyncio.run(client.close())
        gc.collect()  # what the first loop left open is complained of here, not in another test
