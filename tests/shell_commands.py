"""The command `magic-hour` for scripts of a shell, forked from a process that has loaded it.

Rule: as in `programs`, each is a process of its own, with the arguments, folder, environment and streams of its caller.
It saves only the second that importing the client and the engine takes, in some dozens of commands.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magic_hour_workflows.cli import main
from programs import Program

_SCRIPT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"-"], [0, 1, 2])
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    code = server.recv(8)
sys.exit(int(code or 1))  # no code: it was killed
"""


@contextmanager
def installed() -> Iterator[Path]:
    """A folder for PATH with the command `magic-hour` in it."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        address, script = f"{folder}/socket", Path(folder, "magic-hour")  # short: addresses have at most 100 letters
        script.write_text(_SCRIPT.format(python=sys.executable, address=address), encoding="utf-8")
        script.chmod(0o700)
        server.bind(address)
        server.listen()
        with Program(_serve, server, environment={}, out=Path(os.devnull)) as program:
            try:
                yield Path(folder)
            finally:
                program.kill()


def _serve(server: socket.socket) -> int:
    while True:
        connection, _ = server.accept()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _run(connection)
        connection.close()


def _run(connection: socket.socket) -> None:
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as order:
        arguments, folder, environment = json.loads(order.read())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["magic-hour", *arguments]
    code = 1
    try:
        code = main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(b"%d" % code)
        os._exit(code)
