"""What the tests of safety share."""

from __future__ import annotations

import pytest

from safety.adapters import Adapter


@pytest.fixture(params=["sync", "asyncio", "trio"])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return Adapter(request.param)
