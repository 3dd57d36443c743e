"""Schemathesis finds nothing: it reads the contract, and sends what it allows and much that it does not.

Rule: one thing is allowed that a schema cannot say. The service knows which files were uploaded, which pages it gave
out and how many credits are left, so it may refuse a body that is valid, with a status of the contract.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from magic_hour_emulator import Emulator
from programs import ran
from publishing import ROOT

CONTRACT = ROOT / "emulator" / "magic_hour_emulator" / "spec" / "contract.json"
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 400, 402, 404, 422]
"""


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_it_finds_nothing(seed: int, tmp_path: Path) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    with Emulator(speed=50, credits=10**9, seed=0) as emulator:
        done = ran(
            Path(sys.executable).with_name("st"), "--config-file", settings, "run", CONTRACT, "--url", emulator.url,
            "--header", f"Authorization: Bearer {emulator.token}", "--max-examples", "20", "--seed", str(seed),
            "--no-color", cwd=tmp_path,
        )  # fmt: skip
        asked = {request.path for request in emulator.requests if request.status == 200}
    assert done.returncode == 0, done.stdout[-20_000:]
    assert len(asked) >= 30, "most operations were accepted at least once"
