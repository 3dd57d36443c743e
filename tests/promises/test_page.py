"""The page of promises: every promise names its proof, and every proof is a test that pytest runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import promise_tests

ROOT = Path(__file__).resolve().parents[2]
HERE = f"tests/{Path(__file__).parent.name}"


def test_every_promise_has_proofs_and_every_proof_is_a_test() -> None:
    assert promise_tests.render() == promise_tests.PAGE.read_text(encoding="utf-8"), "make docs"


def test_no_promise_is_made_twice_or_at_length() -> None:
    rows = list(promise_tests.rows(promise_tests.PROMISES.read_text(encoding="utf-8")))
    assert len({promise for _, promise, _ in rows}) == len(rows) > 80
    assert all(len(promise) + len(here) < 200 and here for _, promise, here in rows)


def test_every_test_in_this_folder_proves_something() -> None:
    """But for those about the page."""
    mine = {
        f"{file}::{name}"
        for name, files in promise_tests.tests().items()
        for file in files
        if file.startswith(HERE) and Path(__file__).name not in file
    }
    page = promise_tests.PAGE.read_text(encoding="utf-8")
    assert mine
    assert sorted(name for name in mine if f"`{name}`" not in page) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [("`test_that_nobody_wrote`", "no such test"), ("none", "names a test for: A promise.")],
)
def test_a_promise_without_a_test_is_found(
    row: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PROMISES", "PAGE"):
        monkeypatch.setattr(promise_tests, name, tmp_path / name)
        (tmp_path / name).write_text(f"## Money\n\n| promise | tests |\n|---|---|\n| A promise. | {row} |\n")
    with pytest.raises(promise_tests.PageError, match=problem):
        promise_tests.render()
