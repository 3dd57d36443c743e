"""The explanations fit the code as it stands: `make mutants`, which takes minutes, is not the first to notice."""

from __future__ import annotations

import tomllib

import pytest

from mutants import EXPLAINED, ROOT, TARGETS, explanations

KNOWN = explanations(list(TARGETS))


def test_every_entry_is_of_the_decision_code_and_stands_there_once() -> None:
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["explained"]
    assert {entry["function"].split()[0] for entry in entries} <= set(TARGETS)
    assert sum(len(entry["mutants"]) for entry in entries) == len(KNOWN)
    assert all(entry["why"].strip() for entry in entries)


@pytest.mark.parametrize(("function", "change"), KNOWN)
def test_the_line_that_is_explained_is_still_there(function: str, change: str) -> None:
    source = (ROOT / "workflows/magic_hour_workflows" / function.split()[0]).read_text(encoding="utf-8")
    lines = {line.strip() for line in source.splitlines()}
    assert {line[2:] for line in change.splitlines() if line.startswith("- ")} <= lines
