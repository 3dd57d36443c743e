"""One time limit for a whole sync call, down to the socket.

httpx limits each read and each write, so a server that sends a byte now and then can hold a call forever. Here the
network backend of a client is wrapped: every read and write gets no more time than the call has left, and a stop flag
is checked while waiting. The limits of the call travel inside those of its steps, the "timeout" extension of its
request, which httpx passes down to the connection: an interruption cannot leave any state behind.

Rule: this changes when a call gives up, never what is sent. A client with a transport that is not httpx's own keeps the
limits of httpx.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address
from operator import methodcaller
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import httpcore

from .settings import LONGEST

if TYPE_CHECKING:
    from concurrent.futures import Future

    import httpx

T = TypeVar("T")

_CHECK_INTERVAL = 0.25
"""Seconds to wait before the stop flag is checked again."""
_SLICE = 16 * 1024
"""Bytes written at a time through TLS: a socket that is ready for writing takes this much at once."""
_LARGEST_READ = 512 * 1024
"""Bytes read at a time from a fast connection: a piece costs the same, large or small."""
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""Cheap to make, unlike the default one, and without its limit on file numbers where `poll` exists."""
_close = methodcaller("close")


class Limits(NamedTuple):
    """When the current call must end, and whether it should stop before."""

    deadline: float | None
    stopped: Callable[[], bool] | None = None

    def is_stopped(self) -> bool:
        return self.stopped is not None and self.stopped()

    def check(self, error: type[httpcore.TimeoutException]) -> None:
        """Raise `error` if it is time to end."""
        if self.is_stopped():
            raise error("stopped")
        if self.deadline is not None and self.deadline <= time.monotonic():
            raise error("timed out")

    def waits(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> Iterator[float]:
        """How long to wait before the next check, again and again; raises `error` when it is time to end."""
        patience = self.left(timeout)
        ends = None if patience is None else time.monotonic() + patience
        while True:
            left = _CHECK_INTERVAL if ends is None else ends - time.monotonic()
            if left <= 0:
                raise error("timed out")
            yield min(_CHECK_INTERVAL, left)
            self.check(error)

    def left(self, timeout: float | None) -> float | None:
        """How long one step may take: what is left of the call, and no more than `timeout`; at least a moment."""
        if self.deadline is None:
            return timeout
        # Zero would mean "do not wait at all" to a socket, and fail in another way than a timeout.
        left = max(self.deadline - time.monotonic(), 0.001)
        return left if timeout is None else min(left, timeout)


class Bound(float):
    """The limit of one step, in seconds, with the limits of the whole call."""

    limits: Limits


def timeouts(
    step: float | None, deadline: float | None = None, stopped: Callable[[], bool] | None = None
) -> dict[str, float | None]:
    """The "timeout" extension of a request, by which all of its network work is bounded.

    Args:
        step: seconds that each step may take.
        deadline: the instant, on the clock of `time.monotonic`, at which all of it has to end.
        stopped: called regularly; once it returns True, the work ends as if time had run out.
    """
    bound = step
    if deadline is not None or stopped is not None:
        bound = Bound(LONGEST if step is None else step)
        bound.limits = Limits(deadline, stopped)
    return dict.fromkeys(("connect", "read", "write", "pool"), bound)


def _limits(timeout: float | None) -> Limits | None:
    return timeout.limits if isinstance(timeout, Bound) else None


class Stream(httpcore.NetworkStream):
    """A connection that keeps the limits of the call that uses it."""

    def __init__(self, inner: httpcore.NetworkStream, opening: Bound | None = None) -> None:
        self._inner = inner
        self._asked = False
        self._ahead = 0
        self._opening = opening
        """The limit under which it was opened: httpcore talks to a SOCKS proxy without passing one on."""

    def _limit(self, timeout: float | None) -> tuple[Limits | None, float | None]:
        if timeout is None and self._opening is not None:
            timeout = self._opening
        else:
            self._opening = None
        return _limits(timeout), timeout

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limits, timeout = self._limit(timeout)
        if limits is None:
            return self._inner.read(max_bytes, timeout)
        sock = self._plain()
        while True:
            limits.check(httpcore.ReadTimeout)
            # Right after a request, there is nothing to read yet.
            if sock is not None and not self._asked:
                arrived = _at_once(sock, partial(sock.recv, max(max_bytes, self._ahead)), httpcore.ReadError)
                if arrived is not None:
                    # httpcore asks for 64 KiB however fast they come, and its parser takes pieces of any size.
                    self._ahead = min(2 * len(arrived), _LARGEST_READ)
                    return arrived
            self._asked = False
            self._wait(selectors.EVENT_READ, limits, timeout, httpcore.ReadTimeout)
            if sock is None:
                return self._inner.read(max_bytes, limits.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        limits, timeout = self._limit(timeout)
        if limits is None:
            return self._inner.write(buffer, timeout)
        self._asked = True
        sock, view = self._plain(), memoryview(buffer)
        while view:
            limits.check(httpcore.WriteTimeout)
            taken = None if sock is None else _at_once(sock, partial(sock.send, view), httpcore.WriteError)
            if taken is None:
                self._wait(selectors.EVENT_WRITE, limits, timeout, httpcore.WriteTimeout)
            if sock is None:
                self._inner.write(bytes(view[:_SLICE]), limits.left(timeout))
                taken = _SLICE
            view = view[taken or 0 :]

    def _plain(self) -> socket.socket | None:
        """The socket, if what goes through it is what is read and written here: without TLS, and open."""
        if self._inner.get_extra_info("ssl_object") is not None:
            return None
        sock: socket.socket | None = self._inner.get_extra_info("socket")
        return sock if sock is not None and sock.fileno() >= 0 else None

    def _wait(self, event: int, limits: Limits, timeout: float | None, error: type[httpcore.TimeoutException]) -> None:
        """Return once the socket is ready; raise when time runs out or the stop flag is set."""
        limits.check(error)  # first, so that a call ends although the other side is always ready
        sock, tls = self._inner.get_extra_info("socket"), self._inner.get_extra_info("ssl_object")
        if sock.fileno() < 0:
            return  # closed in another thread, as the read or write itself will report
        if event == selectors.EVENT_READ and tls is not None and tls.pending() > 0:
            return  # TLS already holds bytes to read, which the socket would not show
        with _Selector() as selector:
            selector.register(sock, event)
            for seconds in limits.waits(timeout, error):
                if selector.select(seconds):
                    return

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limits, timeout = self._limit(timeout)
        if limits is None:
            return Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))
        allowed = limits.left(timeout)
        shake_hands = partial(self._inner.start_tls, ssl_context, server_hostname, allowed)
        return Stream(_patiently(shake_hands, limits, timeout, _close))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Backend(httpcore.NetworkBackend):
    """Opens connections that keep the limits of the call that uses them."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        limits = _limits(timeout)
        if limits is None:
            return Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))
        addresses = deque(_addresses(host, port, limits, timeout))
        while True:
            # Each address gets a share of the time, so that one that does not answer cannot use up all of it.
            patience = limits.left(timeout)
            share = None if patience is None else patience / len(addresses)
            connect = partial(self._inner.connect_tcp, addresses[0], port, share, local_address, socket_options)
            try:
                # An address has its own limit; only a stop flag must be checked meanwhile.
                opened = connect() if limits.stopped is None else _patiently(connect, limits, share, _close)
                return Stream(opened, timeout if isinstance(timeout, Bound) else None)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                addresses.popleft()
                if not addresses or limits.is_stopped():
                    raise

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        return Stream(self._inner.connect_unix_socket(path, timeout, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


def _addresses(host: str, port: int, limits: Limits, timeout: float | None) -> list[str]:
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass
    try:
        entries = _patiently(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM), limits, timeout)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return [socket.getnameinfo(address, flags)[0] for *_, address in entries]


def _patiently(
    work: Callable[[], T], limits: Limits, timeout: float | None, drop: Callable[[T], object] = lambda _: None
) -> T:
    """The result of work that cannot be interrupted, done in a thread that may be abandoned.

    A late result is passed to `drop`.
    """
    from concurrent.futures import Future, wait

    future: Future[T] = Future()
    Thread(target=_settle, args=(future, work), daemon=True).start()
    try:
        for seconds in limits.waits(timeout, httpcore.ConnectTimeout):
            if wait([future], seconds).done:
                return future.result()
    except BaseException:
        if not (future.done() and future.exception() is not None):
            future.add_done_callback(lambda late: None if late.exception() else drop(late.result()))
        raise
    raise AssertionError("waits() ends only by raising")


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001  (it is raised again where the result is awaited)
        future.set_exception(error)


def _at_once(sock: socket.socket, act: Callable[[], T], error: type[httpcore.NetworkError]) -> T | None:
    """What a socket reads or writes without waiting; None if it would have to wait."""
    try:
        if sock.gettimeout() != 0:
            sock.setblocking(False)
        return act()
    except BlockingIOError:
        return None
    except OSError as failed:
        raise error(str(failed)) from failed


def enforce(client: httpx.Client) -> httpx.Client:
    """Make every connection of `client` keep the limits of its calls; returns the same client.

    httpx has no public way to give its own transports a network backend, hence the private names. A test fails
    when they move.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if backend is not None and not isinstance(backend, Backend):
            pool._network_backend = Backend(backend)  # type: ignore[union-attr]
    return client
