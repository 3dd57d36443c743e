"""One client in several processes or event loops: connections are never shared between them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket

import pytest

from magic_hour_client import AsyncClient, Client, InvalidArgument
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


def test_an_async_client_says_that_it_belongs_to_one_event_loop() -> None:
    with serving(echo) as server:
        client = AsyncClient(token="x", base_url=server.url)

        async def get(id: str) -> str:
            async with client:
                found = await client.v1.image_projects.get(id)
            return found.id

        assert asyncio.run(get("a")) == "a"
        client._transport.closed = False
        with pytest.raises(InvalidArgument, match="another event loop"):
            asyncio.run(get("b"))
