"""One build for all tests of a run."""

from __future__ import annotations

import pytest

from publishing import Published


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return Published(tmp_path_factory.mktemp("published"))
