"""The proof that the simulation can fail: every planted bug is found, by the rule it breaks, and its seed is told."""

from __future__ import annotations

import pytest

from simulation.judge import RULES
from simulation.plants import PLANTS
from simulation.run import simulate

MOST_SEEDS = 400


def test_every_rule_has_a_bug_that_breaks_it() -> None:
    assert {rule.__name__ for rule in RULES} <= {rule for _, rule in PLANTS.values()}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, rule = PLANTS[name]
    patch(monkeypatch)
    for seed in range(MOST_SEEDS):
        found = simulate(seed)
        if any(rule in text for text in found.complaints):
            assert f"seed {seed} breaks a rule" in str(found)
            assert f"make simulate SEED={seed}" in str(found)
            return
    pytest.fail(f"no seed below {MOST_SEEDS} found it")
