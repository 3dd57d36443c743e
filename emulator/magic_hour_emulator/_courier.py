"""The thread that delivers webhooks: it moves the jobs that are due and sends their events.

Rule: it connects to this machine's loopback interface only, whatever a name resolves to by now. It follows no redirect
and uses no proxy. Without a webhook there is no thread.
"""

import asyncio
import math
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, urlsplit

import h11

from ._clock import Clock
from ._webhook_targets import loopback_only, signature
from ._webhooks import Delivery, Webhooks

__all__ = ["Courier"]

# spec/: a target answers with 2xx within 10 seconds. They are real ones: the target's clock is not the emulator's.
_ANSWER_SECONDS: Final = 10.0
_AT_A_TIME: Final = 16
_LONGEST_WAIT_SECONDS: Final = 3600.0


class Courier:
    """Delivers what is due, on the emulator's clock. `before` is called before something is sent."""

    def __init__(self, webhooks: Webhooks, clock: Clock, before: Callable[[], None] = lambda: None) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._before = before
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake: asyncio.Event | None = None
        self._closed = False

    def wake(self) -> None:
        """Look again at what is due; the first call with a target starts the thread. From any thread."""
        wanted = bool(self._webhooks.targets)  # before the lock: whoever calls may have that of the webhooks
        with self._lock:
            if self._closed:
                return
            if self._thread is None and wanted:
                self._thread = threading.Thread(target=self._main, name="magic-hour-emulator-webhooks", daemon=True)
                self._thread.start()
            if self._loop is not None and self._awake is not None:
                self._loop.call_soon_threadsafe(self._awake.set)

    def close(self) -> None:
        """End what is being sent, and the thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
            if self._loop is not None and self._awake is not None:
                self._loop.call_soon_threadsafe(self._awake.set)
        if thread is not None:
            thread.join()

    def _main(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        awake = asyncio.Event()
        with self._lock:
            self._loop, self._awake = asyncio.get_running_loop(), awake
        sending: set[asyncio.Task[None]] = set()
        while not self._closed:
            awake.clear()
            self._webhooks.move_jobs()
            self._before()
            while len(sending) < _AT_A_TIME and (delivery := self._webhooks.take()) is not None:
                sending.add(task := asyncio.create_task(self._deliver(delivery)))
                task.add_done_callback(sending.discard)
            with suppress(TimeoutError):
                await asyncio.wait_for(awake.wait(), self._pause(len(sending)))
        with self._lock:
            self._loop = self._awake = None  # the loop ends, and cancels what is being sent

    def _pause(self, sending: int) -> float | None:
        """Real seconds until something is due; None until somebody calls `wake`."""
        left = self._webhooks.seconds_until_due()
        if left <= 0:  # due, but too much is being sent already
            return None if sending else 0
        return None if self._clock.frozen or left == math.inf else min(left / self._clock.speed, _LONGEST_WAIT_SECONDS)

    async def _deliver(self, delivery: Delivery) -> None:
        at, status, problem = self._clock.now(), None, None
        secret = self._webhooks.secret(delivery.url)
        try:
            if secret is not None:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    status = await _post(delivery, secret)
        except TimeoutError:
            problem = f"no answer within {_ANSWER_SECONDS:g} seconds"
        except (OSError, ValueError, h11.ProtocolError) as failure:
            problem = str(failure) or type(failure).__name__
        self._webhooks.attempted(delivery, at, status, problem)
        self.wake()


async def _post(delivery: Delivery, secret: str) -> int:
    """Send one attempt, and return the status of the answer."""
    url = urlsplit(delivery.url)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(url.hostname, url.port or 80, type=socket.SOCK_STREAM)
    loopback_only(url.hostname or "", [str(address[0]) for *_, address in found])
    reader, writer = await asyncio.open_connection(str(found[0][4][0]), url.port or 80)  # not by name: it was checked
    try:
        return await _exchange(reader, writer, _request(url, delivery, secret), delivery.body.encode())
    finally:
        writer.close()


def _request(url: SplitResult, delivery: Delivery, secret: str) -> h11.Request:
    forged = delivery.fault == "webhook_bad_signature" and delivery.attempts == 0
    timestamp = str(int(time.time()))  # the machine's time, which is the target's
    headers = {
        "Host": url.netloc,
        "User-Agent": "magic-hour-emulator",
        "Content-Type": "application/json",
        "Content-Length": str(len(delivery.body.encode())),
        "Connection": "close",
        "magic-hour-event-timestamp": timestamp,
        "magic-hour-event-signature": signature(f"not {secret}" if forged else secret, timestamp, delivery.body),
    }
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return h11.Request(method="POST", target=path, headers=list(headers.items()))


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
) -> int:
    connection = h11.Connection(h11.CLIENT)
    for part in (request, h11.Data(body), h11.EndOfMessage()):
        writer.write(connection.send(part) or b"")
    await writer.drain()
    status = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return status
