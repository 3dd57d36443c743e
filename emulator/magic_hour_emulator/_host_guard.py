"""No connection to another host while a test uses the emulator: a wrong address must not reach the paid service.

Rule: it stands in front of `socket`, which HTTP libraries for Python use for names and connections, and is gone after
the test. This machine is always allowed. The refusal is not an `Exception`, so that no retry hides it.
"""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, Final, Self

import pytest

__all__ = ["HostGuard"]

_CALLS: Final = ("connect", "connect_ex")


class HostGuard:
    """Refuses connections and look-ups of hosts that are not allowed, and remembers them; a context manager."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(name.lower() for name in allowed)
        self._patches = pytest.MonkeyPatch()
        self._refused: dict[str, None] = {}

    def __enter__(self) -> Self:
        look_up = socket.getaddrinfo
        connect = {name: getattr(socket.socket, name) for name in _CALLS}

        def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
            self._check(host)
            return look_up(host, *arguments, **options)

        def guarded(name: str) -> Any:
            def call(sock: socket.socket, address: Any) -> Any:
                if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
                    self._check(address[0])
                return connect[name](sock, address)

            return call

        self._patches.setattr(socket, "getaddrinfo", guarded_look_up)
        for name in _CALLS:
            self._patches.setattr(socket.socket, name, guarded(name))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.undo()

    def problems(self) -> list[str]:
        """What is wrong with the hosts that the test wanted to reach."""
        return [_refusal(host) for host in self._refused]

    def _check(self, host: Any) -> None:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if name is None or not isinstance(name, str) or "*" in self._allowed:
            return
        if not (_is_here(name) or name.lower() in self._allowed):
            self._refused[name] = None
            pytest.fail(_refusal(name))


def _refusal(host: str) -> str:
    return (
        f"connection to another host: {host!r}. The code under test must use MAGIC_HOUR_BASE_URL; "
        f"to allow this host, name it in the ini option magic_hour_hosts or in the marker magic_hour(hosts=[...])"
    )


def _is_here(name: str) -> bool:
    if name.lower() in ("", "localhost", socket.gethostname().lower()):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
