"""Fixtures of the client's tests; what they give is in `harness`."""

import ssl
from pathlib import Path

import pytest

from client.harness import Either
from worlds import MODES

CERTIFICATE = Path(__file__).parent / "loopback.pem"


@pytest.fixture(params=MODES)
def either(request: pytest.FixtureRequest) -> Either:
    return Either(request.param)


@pytest.fixture(scope="session")
def tls_server() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.fixture(scope="session")
def tls_client() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))
