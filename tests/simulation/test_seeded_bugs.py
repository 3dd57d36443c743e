"""The proof that the simulation can fail: it finds every seeded bug, by the rule that the bug breaks.

A bug is tried first with the seed that found it last. After a change of the simulation another seed may find it: then
all are tried, which takes some seconds longer.
"""

from __future__ import annotations

import pytest

from simulation.judge import RULES
from simulation.run import simulate
from simulation.seeded_bugs import SEEDED_BUGS

MAX_SEEDS = 1000


def test_every_rule_has_a_bug_that_breaks_it() -> None:
    assert {rule.__name__ for rule in RULES} <= {rule for _, rule, _ in SEEDED_BUGS.values()}


@pytest.mark.parametrize("name", SEEDED_BUGS)
def test_a_seeded_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, rule, remembered = SEEDED_BUGS[name]
    patch(monkeypatch)
    for seed in (remembered, *range(MAX_SEEDS)):
        found = simulate(seed)
        if any(rule in text for text in found.complaints):
            assert f"seed {seed} breaks a rule" in str(found)
            assert f"make simulate SEED={seed}" in str(found)
            return
    pytest.fail(f"no seed below {MAX_SEEDS} found it")
