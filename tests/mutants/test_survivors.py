"""The explanations fit the code as it stands: `make mutants`, which takes minutes, is not the first to notice."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mutants import EXPLAINED, PARTS, ROOT, chosen, explanations, lay_out
from programs import python

PACKAGES = {target: part.package for part in PARTS.values() for target in part.targets}
KNOWN = explanations(list(PACKAGES))


def test_every_entry_is_of_the_decision_code_and_stands_there_once() -> None:
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["explained"]
    assert {entry["function"].split()[0] for entry in entries} <= set(PACKAGES)
    assert sum(len(entry["mutants"]) for entry in entries) == len(KNOWN)
    assert all(entry["why"].strip() for entry in entries)


def test_every_file_that_is_named_is_there() -> None:
    assert [target for target, package in PACKAGES.items() if not (ROOT / package / target).is_file()] == []
    tests = [name for part in PARTS.values() for name in (*part.tests, *part.needed)]
    assert [name for name in tests if not (ROOT / name).exists()] == []


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_the_copy_has_everything_that_its_tests_import(part: str, tmp_path: Path) -> None:
    lay_out(tmp_path, PARTS[part], list(PARTS[part].targets))
    ran = python("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *PARTS[part].tests, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout[-2000:]


@pytest.mark.parametrize(
    ("words", "parts"),
    [([], ["flows"]), (["flows"], ["flows"]), (["batch/_claims.py"], ["batch"]), (["all"], [*PARTS])],
)
def test_parts_and_files_can_be_asked_for(words: list[str], parts: list[str]) -> None:
    assert list(chosen(words)) == parts


def test_what_is_not_listed_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"no decision code: _flows/nothing\.py"):
        chosen(["_flows/nothing.py"])


@pytest.mark.parametrize(("function", "change"), KNOWN)
def test_the_line_that_is_explained_is_still_there(function: str, change: str) -> None:
    target = function.split()[0]
    source = (ROOT / PACKAGES[target] / target).read_text(encoding="utf-8")
    lines = {line.strip() for line in source.splitlines()}
    assert {line[2:] for line in change.splitlines() if line.startswith("- ")} <= lines
