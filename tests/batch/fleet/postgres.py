"""A PostgreSQL server for tests: on a free port of this machine, in a temporary directory, removed at the end.

Rule: it is Debian's server, started as anywhere else, with a password, and never as root, which it refuses. `fsync` is
    off:
no test cuts the power, and a killed client or server loses nothing that way.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg

PASSWORD = "pg-canary-7d1f"
_USER = "fleet"
_START_SECONDS = 60.0


def programs() -> Path | None:
    """Where the server's programs are; None if it is not installed (Debian and Ubuntu: `make packages`)."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return versions[-1].parent if versions else None


class Postgres:
    """A server; a context manager that ends it."""

    def __init__(self) -> None:
        self._programs = programs()
        self._home = Path(tempfile.mkdtemp(prefix="magic-hour-postgres-"))
        self._user = _unprivileged()
        self._server: subprocess.Popen[bytes] | None = None
        self._names = (f"batch_{number}" for number in itertools.count(1))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    def url(self, database: str, password: str = PASSWORD) -> str:
        """The address of a database, as a user writes it."""
        return f"postgresql://{_USER}:{password}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """The address of a new database with nothing in it."""
        name = next(self._names)
        self.execute("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, database: str, query: str) -> list[Any]:
        """The rows that a statement gives, without a transaction around it."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "32MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._home / "log").open("ab") as log:
            self._server = self._program("postgres", "-D", str(self._data), "-p", str(self.port), *options, output=log)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.execute("postgres", "SELECT 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server without waiting for clients, which are disconnected."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(_START_SECONDS)
            finally:
                self._server.kill()
                self._server.wait()
                self._server = None

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _program(self, name: str, *arguments: str, output: Any) -> subprocess.Popen[bytes]:
        assert self._programs is not None
        rights: dict[str, Any] = {}
        if self._user is not None:
            rights = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.Popen(
            [str(self._programs / name), *arguments],
            cwd=self._home,
            env=environment | {"LC_ALL": "C"},
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C at the tests ends it by `stop`, not by itself
            **rights,
        )

    def __enter__(self) -> Self:
        secret = self._home / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            for path in (self._home, secret):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        options = ["--auth=scram-sha-256", f"--username={_USER}", f"--pwfile={secret}", "--encoding=UTF8", "--no-sync"]
        try:
            made = self._program("initdb", "-D", str(self._data), *options, output=subprocess.PIPE)
            said, _ = made.communicate(timeout=_START_SECONDS)
            assert made.returncode == 0, said
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd | None:
    """The user that runs the server if we are root; None otherwise."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:  # a server that no package brought
        return pwd.getpwnam("nobody")
