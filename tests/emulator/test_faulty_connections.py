"""Network faults, as a client sees them at its socket.

Rule: raw sockets, so that nothing between the wire and the test repairs or hides anything.
"""

import json
import select
import socket
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from urllib.parse import urlsplit

import httpx
import pytest

from magic_hour_emulator._server import listen
from servers import LIMIT_SECONDS, wait_until

IMAGE = "/v1/ai-image-generator"
RESET = "reset"


class Wire:
    """A connection to the emulator."""

    def __init__(self, url):
        place = urlsplit(url)
        self.path = f"{place.path}?{place.query}" if place.query else place.path
        self.socket = socket.create_connection((place.hostname, place.port), timeout=LIMIT_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, method, path=None, *, token=None, body=b"", headers=""):
        head = f"{method} {path or self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}"
        if token:
            head += f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self.socket.sendall(head.encode() + b"\r\n" + body)
        return self

    def everything(self):
        """All bytes until the connection ends, and how it ended: b"" for a close, or "reset"."""
        received = b""
        try:
            while piece := self.socket.recv(65536):
                received += piece
        except ConnectionResetError:
            return received, RESET
        return received, b""

    def is_silent(self, seconds=0.05):
        return not select.select([self.socket], [], [], seconds)[0]


@pytest.fixture
def create(api, image_body):
    """Send a create on its own connection."""
    wires = []

    def send():
        wire = Wire(api.emulator.url)
        wires.append(wire)
        return wire.ask("POST", IMAGE, token=api.emulator.token, body=json.dumps(image_body).encode())

    yield send
    for wire in wires:
        wire.socket.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_faults_do_not_depend_on_the_event_loop(start, image_body, monkeypatch, loop):
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    monkeypatch.setattr("magic_hour_emulator._server._LOOP", loop)
    with start() as api:
        url = api.finish(IMAGE, image_body)["downloads"][0]["url"]
        whole = httpx.get(url).content
        for (kind, end), at_byte in product((("cut", b""), ("reset", RESET)), (0, 1, 1000)):
            api.emulator.faults.add(kind, on="download", phase="after", at_byte=at_byte)
            with Wire(url) as wire:
                received, ended = wire.ask("GET").everything()
            head, _, body = received.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert f"content-length: {len(whole)}".encode() in head.lower()
            assert (body, ended) == (whole[:at_byte], end)
        assert httpx.get(url).content == whole
        api.emulator.faults.add("stall", on="download", at_byte=100)
        with Wire(url) as wire:
            assert read_body(wire.ask("GET"), 100) == whole[:100]
            assert wire.is_silent()
            api.emulator.faults.clear()
            assert wire.everything() == (b"", b"")
        api.emulator.faults.add("drip", on="create", rate=100_000)
        for _ in range(2):  # after a drip the connection works as before
            api.create(IMAGE, image_body)
        slot = api.slot()
        api.emulator.faults.add("upload_reset", at_byte=0)
        with Wire(slot["upload_url"]) as wire:
            assert wire.ask("PUT", body=b"x").everything() == (b"", RESET)
        assert api.upload(b"x")


@pytest.mark.parametrize(("phase", "accepted"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize(
    ("kind", "begins", "end"),
    [("reset", b"", RESET), ("close", b"", b""), ("garbage", b"\x16\x03\x01", b""), ("hang", b"", b"")],
)
def test_a_connection_ends_without_an_answer(api, create, kind, begins, end, phase, accepted):
    api.emulator.faults.add(kind, on="create", phase=phase, **({"seconds": 0.02} if kind == "hang" else {}))
    received, ended = create().everything()
    assert (received[:3], ended) == (begins, end)
    assert len(api.emulator.ledger.creates) == accepted
    recorded = api.emulator.requests[0]
    assert (recorded.fault, recorded.received > 0) == (kind, True)
    if kind == "reset":
        assert recorded.status == (None if phase == "before" else 200)


@pytest.mark.parametrize(("phase", "accepted"), [("before", 0), ("after", 1)])
def test_a_hang_lasts_until_the_faults_are_cleared(api, create, phase, accepted):
    api.emulator.faults.add("hang", on="create", phase=phase)
    wire = create()
    happened(api)
    assert wire.is_silent()
    assert len(api.emulator.ledger.creates) == accepted
    api.emulator.faults.clear()
    assert wire.everything() == (b"", b"")
    assert len(api.emulator.ledger.creates) == accepted


def test_a_stall_does_not_end_because_the_server_would_close(api, image_body):
    api.emulator.faults.add("stall", on="get", at_byte=1)
    job = api.create(IMAGE, image_body)["id"]
    with Wire(api.emulator.url) as wire:
        wire.ask("GET", f"/v1/image-projects/{job}", token=api.emulator.token, headers="Connection: close\r\n")
        assert read_body(wire, 1) == b"{"
        assert wire.is_silent()
        api.emulator.faults.clear()
        assert wire.everything() == (b"", b"")


def test_a_hang_ends_when_the_client_goes(api, create):
    api.emulator.faults.add("hang", on="create")
    wire = create()
    happened(api)
    line = next(iter(api.emulator.faults.held))
    wire.socket.close()
    wait_until(line.lost.is_set)


def happened(api):
    """Return once a fault has happened."""
    wait_until(lambda: api.emulator.faults.fired)


def test_a_large_body_ends_within_what_the_server_writes_in_pieces(api, output, tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(bytes(range(256)) * 4096 * 5)
    api.emulator.put_output(api.emulator.jobs[0].id, 0, large)
    api.emulator.faults.add("cut", on="download", at_byte=1_500_000)
    with Wire(output) as wire:
        received, _ = wire.ask("GET").everything()
    assert received.partition(b"\r\n\r\n")[2] == large.read_bytes()[:1_500_000]


def test_a_cut_beyond_the_end_does_not_happen(api, output):
    api.emulator.faults.add("cut", on="download", at_byte=10**9, times=None)
    with httpx.Client() as client:
        assert len({client.get(output).content for _ in range(2)}) == 1
    assert api.emulator.faults.fired == ()


def test_a_stall_that_did_not_happen_leaves_the_connection_alone(api, output):
    """Clearing the faults closes what is stalled, and nothing else."""
    api.emulator.faults.add("stall", on="download", at_byte=10**9)
    with Wire(output) as wire:
        head = f"GET {wire.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        wire.socket.sendall(head)
        length = len(httpx.get(output).content)
        read_body(wire, length)
        api.emulator.faults.clear()
        wire.socket.sendall(head)
        assert len(read_body(wire, length)) == length


def read_body(wire, length):
    received = b""
    while len(received.partition(b"\r\n\r\n")[2]) < length:
        piece = wire.socket.recv(65536)
        assert piece
        received += piece
    return received.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("kind", "options", "taken"), [("stall", {"at_byte": 10}, 10), ("drip", {"rate": 10_000}, 600)]
)
def test_a_large_download_that_is_held_up_is_not_read_into_memory(api, output, tmp_path, kind, options, taken):
    """The emulator stops reading the file while the client does not read."""
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    api.emulator.put_output(api.emulator.jobs[0].id, 0, large)
    api.emulator.faults.add(kind, on="download", **options)
    with Wire(output) as wire:
        read_body(wire.ask("GET"), taken)
        assert kind == "drip" or wire.is_silent()
        assert api.emulator.requests[-1].sent < 8 * 1024 * 1024


def test_a_drip_gives_headers_and_body_piece_by_piece(api, create):
    api.emulator.faults.add("drip", on="create", rate=500)
    wire = create()
    pieces = []
    while b"credits_charged" not in b"".join(pieces):
        pieces.append(wire.socket.recv(65536))
    received = b"".join(pieces)
    assert received.startswith(b"HTTP/1.1 200")
    assert len(pieces[0]) < received.index(b"\r\n\r\n")
    assert len(pieces) > 2  # ten if this reader is never late


def test_a_drip_is_kept_up_when_the_server_wants_to_close(api, image_body):
    api.emulator.faults.add("drip", on="get", rate=1000)
    job = api.create(IMAGE, image_body)["id"]
    with Wire(api.emulator.url) as wire:
        wire.ask("GET", f"/v1/image-projects/{job}", token=api.emulator.token, headers="Connection: close\r\n")
        received, end = wire.everything()
    body = received.partition(b"\r\n\r\n")[2]
    assert (json.loads(body)["id"], end) == (job, b"")


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_delay_ends_with_the_usual_answer(api, create, phase):
    api.emulator.faults.add("delay", on="create", phase=phase, seconds=3600)
    wire = create()
    happened(api)
    assert wire.is_silent()
    if phase == "before":
        assert len(api.emulator.ledger.creates) == 0
    api.emulator.faults.clear()
    assert wire.socket.recv(65536).startswith(b"HTTP/1.1 200")
    assert len(api.emulator.ledger.creates) == 1


def test_a_delayed_create_is_accepted_even_if_the_client_has_gone(api, create):
    api.emulator.faults.add("delay", on="create", seconds=0.1)
    wire = create()
    happened(api)
    wire.socket.close()
    wait_until(lambda: api.emulator.ledger.creates)


@pytest.mark.parametrize("at_byte", [0, 70_000])
def test_an_upload_is_reset(api, at_byte):
    slot = api.slot()
    api.emulator.faults.add("upload_reset", at_byte=at_byte)
    with Wire(slot["upload_url"]) as wire:
        head = f"PUT {wire.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
        wire.socket.sendall(head.encode() + b"x" * at_byte)
        assert wire.everything() == (b"", RESET)
    assert at_byte <= api.emulator.requests.find(method="PUT")[0].received < 200_000
    with pytest.raises(KeyError):
        api.emulator.uploaded(slot["file_path"])


def test_an_upload_stalls(api):
    slot = api.slot()
    api.emulator.faults.add("upload_stall", at_byte=100_000)
    with Wire(slot["upload_url"]) as wire:
        head = f"PUT {wire.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {10**9}\r\n\r\n"
        wire.socket.sendall(head.encode())
        sent = _send_until_blocked(wire.socket)
        assert 100_000 <= sent < 10**8  # what the buffers in between hold, and no more
        happened(api)
        api.emulator.faults.clear()
        assert wire.everything() == (b"", RESET)  # unread bytes were left
    with pytest.raises(KeyError):
        api.emulator.uploaded(slot["file_path"])


def _send_until_blocked(connection):
    sent, piece = 0, b"x" * 65536
    while select.select([], [connection], [], 0.3)[1]:
        sent += connection.send(piece)
    return sent


def test_a_slow_upload_arrives_in_the_end(api):
    content = bytes(range(256)) * 1000
    slot = api.slot()
    api.emulator.faults.add("upload_slow", rate=10_000_000)
    assert httpx.put(slot["upload_url"], content=content).status_code == 200
    assert api.emulator.uploaded(slot["file_path"]).read_bytes() == content


def test_a_slow_upload_is_read_slowly(api):
    slot = api.slot()
    api.emulator.faults.add("upload_slow", rate=1)
    with Wire(slot["upload_url"]) as wire:
        wire.ask("PUT", body=b"x" * 100_000)
        happened(api)
        assert wire.is_silent()
        api.emulator.faults.clear()
        assert wire.socket.recv(65536).startswith(b"HTTP/1.1 200")


def test_many_connections_each_get_their_own(api, image_body):
    """Forty creates at once: five responses are lost, seven requests never arrive, all others succeed."""
    api.emulator.faults.add("reset", on="create", phase="after", times=5)
    api.emulator.faults.add("close", on="create", phase="before", times=7)

    def create(_):
        with httpx.Client(base_url=api.emulator.url, headers=api.http.headers) as client:
            try:
                return client.post(IMAGE, json=image_body, timeout=LIMIT_SECONDS).status_code
            except httpx.HTTPError as error:
                return type(error).__name__

    with ThreadPoolExecutor(20) as pool:
        outcomes = sorted(map(str, pool.map(create, range(40))))
    assert outcomes == ["200"] * 28 + ["ReadError"] * 5 + ["RemoteProtocolError"] * 7
    assert len(api.emulator.ledger.creates) == 28 + 5
    assert sorted(each.fault.kind for each in api.emulator.faults.fired) == ["close"] * 7 + ["reset"] * 5


HANGING = [
    ("hang", "create", {"phase": "before"}),
    ("hang", "create", {"phase": "after"}),
    ("delay", "create", {"phase": "before", "seconds": 3600}),
    ("delay", "create", {"phase": "after", "seconds": 3600}),
    ("drip", "create", {"rate": 1}),
    ("stall", "create", {"at_byte": 1}),
    ("upload_stall", "put", {}),
    ("upload_slow", "put", {"rate": 1}),
]


@pytest.mark.parametrize(("kind", "on", "options"), HANGING, ids=lambda value: value if isinstance(value, str) else "")
def test_nothing_holds_up_the_end_of_the_emulator(kind, on, options, start, image_body, capfd):
    threads = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with start() as api:
            slot = api.slot()
            api.emulator.faults.add(kind, on=on, **options)
            if on == "create":
                body = json.dumps(image_body).encode()
                wire = Wire(api.emulator.url).ask("POST", IMAGE, token=api.emulator.token, body=body)
            else:
                wire = Wire(slot["upload_url"]).ask("PUT", body=b"x" * 1000)
            happened(api)
            began = time.monotonic()
        assert time.monotonic() - began < LIMIT_SECONDS / 2
    wire.everything()
    wire.socket.close()
    for thread in set(threading.enumerate()) - threads:
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive()
    assert capfd.readouterr().err == ""


def test_answers_are_not_held_back_by_nagles_algorithm():
    """asyncio disables it only if the socket names its protocol; otherwise every response takes 40 ms longer."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP
