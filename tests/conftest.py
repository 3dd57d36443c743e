"""What every test may use: one emulator for the whole run, emptied before each test, and the three worlds."""

from __future__ import annotations

import functools
import inspect
import os
import random
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from magic_hour_emulator import Emulator, samples
from magic_hour_emulator._jobs import Job
from magic_hour_emulator._products import RENDERERS
from magic_hour_emulator._render import videos
from servers import LIMIT_SECONDS
from worlds import MODES, World

# Programs that tests start reuse compiled modules, however pytest was started.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# httpx gives up after 5 s unless told otherwise, which a busy machine may need. Tests of timeouts name theirs.
_httpx_default: httpx.Timeout = inspect.signature(httpx.get).parameters["timeout"].default
_httpx_default.connect = _httpx_default.read = _httpx_default.write = _httpx_default.pool = LIMIT_SECONDS


@functools.cache
def _default_tls(*settings: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _shared_tls(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
    """One context for all clients with the same default settings: loading the certificates takes 25 ms, every time."""
    if verify is True and cert is None and trust_env:
        return _default_tls(*map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))
    return httpx.create_ssl_context(verify, cert, trust_env)


httpx._transports.default.create_ssl_context = _shared_tls  # type: ignore[attr-defined]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also what is too long for every run (make test-long)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `long`, unless it is asked for."""
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    with Emulator(token="mhk_test_canary", speed=50, seed=0) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """The service, with nothing in it; its seconds take 20 ms."""
    running_emulator.reset()
    return running_emulator


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The command line keeps a job log: not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(params=MODES)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.fixture
def options(emulator: Emulator) -> dict[str, Any]:
    """How to make a client for the emulator."""
    return {"token": emulator.token, "base_url": emulator.url, "poll_interval": 0.02}


def _draw_small(job: Job, index: int, target: Path, seed: int) -> None:
    """A picture that is different for each output."""
    noise = random.Random(f"{job.id}/{index}").randbytes(3 * 32 * 32)
    Image.frombytes("RGB", (32, 32), noise).save(target, "PNG")


@pytest.fixture
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small outputs: where their content does not matter, drawing takes most of the time. Pictures are 32 by 32 pixels;
    videos and GIFs are what they always are, but for their size and two frames per second.
    """
    monkeypatch.setitem(RENDERERS, "image/png", _draw_small)
    monkeypatch.setattr(videos, "frame_size", lambda *_: (96, 64))
    monkeypatch.setattr(videos, "frame_rate", lambda *_: 2)


@pytest.fixture
def portrait() -> Path:
    return samples.portrait()


@pytest.fixture
def voice() -> Path:
    return samples.voice()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key or an address in the environment must not decide what a test does."""
    names = ("MAGIC_HOUR_API_KEY", "MAGIC_HOUR_BASE_URL", "MAGIC_HOUR_POLL_INTERVAL", "MAGIC_HOUR_JOB_LOG", "API_TOKEN")
    for name in names:
        monkeypatch.delenv(name, raising=False)
