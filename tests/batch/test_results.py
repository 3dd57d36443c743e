"""results.jsonl and results.csv: what they hold, for programs and for spreadsheets."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from magic_hour_client._runtime.redaction import escaped
from magic_hour_workflows.batch._report import FIELDS, write_results
from magic_hour_workflows.batch._rows import RowResult, RowStatus

SAVED: dict[str, Any] = {"endpoint": "ai_image_generator", "status": RowStatus.SAVED}


def result(key: str, **values: Any) -> RowResult:
    return RowResult(key=key, **{**SAVED, **values})


def table(directory: Path) -> list[dict[str, str]]:
    with open(directory / "results.csv", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "results.jsonl").read_text("utf-8").splitlines()]


def test_both_files_say_everything_about_a_row(tmp_path: Path) -> None:
    paths = [tmp_path / "fox-1.png", tmp_path / "more" / "fox-2.png"]
    fox = result(
        "Füchse",
        id="c1",
        credits=10,
        paths=paths,
        sizes=[11, 22],
        sha256=["aa", "bb"],
        seconds=2.5,
        name="batch Füchse",
    )
    lost = RowResult(
        key="owl", endpoint="ai_talking_photo", status=RowStatus.DOUBTFUL, kind="video", credits=None, error="cut",
        error_type="SubmissionUnknown",
    )  # fmt: skip
    assert write_results(tmp_path, iter([fox, lost])) == (tmp_path / "results.jsonl", tmp_path / "results.csv")
    empty = {
        "id": None,
        "paths": [],
        "sizes": [],
        "sha256": [],
        "seconds": None,
        "error": None,
        "error_type": None,
        "name": None,
    }
    assert lines(tmp_path) == [
        {
            **empty, "key": "Füchse", "endpoint": "ai_image_generator", "status": "saved", "id": "c1", "credits": 10,
            "paths": ["fox-1.png", "more/fox-2.png"], "sizes": [11, 22], "sha256": ["aa", "bb"], "seconds": 2.5,
            "name": "batch Füchse", "kind": "image",
        },
        {
            **empty, "key": "owl", "endpoint": "ai_talking_photo", "status": "doubtful", "credits": None,
            "error": "cut", "error_type": "SubmissionUnknown", "kind": "video",
        },
    ]  # fmt: skip
    first, second = table(tmp_path)
    assert tuple(first) == FIELDS
    assert first == {
        "key": "Füchse", "endpoint": "ai_image_generator", "status": "saved", "id": "c1", "credits": "10",
        "paths": "fox-1.png|more/fox-2.png", "sizes": "11|22", "sha256": "aa|bb", "seconds": "2.5", "error": "",
        "error_type": "", "name": "batch Füchse", "kind": "image",
    }  # fmt: skip
    assert (second["credits"], second["error"], second["paths"]) == ("", "cut", "")


def test_numbers_are_short(tmp_path: Path) -> None:
    write_results(tmp_path, [result("a", credits=5.0, seconds=12.345678901234567), result("b", credits=0.1 + 0.2)])
    assert [(row["credits"], row["seconds"]) for row in table(tmp_path)] == [("5", "12.346"), ("0.3", "")]
    text = (tmp_path / "results.jsonl").read_text("utf-8")
    assert '"credits": 5,' in text
    assert '"seconds": 12.346,' in text
    assert '"credits": 0.3,' in text


def test_what_is_no_number_is_not_known(tmp_path: Path) -> None:
    write_results(tmp_path, [result("a", credits=float("nan"), seconds=float("inf"))])
    assert (lines(tmp_path)[0]["credits"], lines(tmp_path)[0]["seconds"]) == (None, None)


def test_paths_are_relative_whatever_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_results("out", [result("a", paths=[Path("out/a-1.png"), tmp_path / "elsewhere" / "a-2.png"])])
    assert lines(tmp_path / "out")[0]["paths"] == ["a-1.png", "../elsewhere/a-2.png"]


FORMULAS = ["=1+1", "+1", "-1+cmd|' /C calc'!A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1"]
FORMULAS += ["\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]  # the wide forms of = + - @


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(tmp_path: Path, text: str) -> None:
    write_results(tmp_path, [result(text, error=text, name=text, paths=[tmp_path / text], sha256=[text])])
    (row,) = table(tmp_path)
    assert {row[field] for field in ("key", "name", "paths", "sha256")} == {f"'{text}"}
    assert row["error"] in (f"'{text}", escaped(text))
    assert not row["error"].startswith(tuple(FORMULAS))
    assert lines(tmp_path)[0]["key"] == text  # programs get what it is


def test_no_cell_hides_in_another(tmp_path: Path) -> None:
    """Where `;` separates columns, all of an unquoted line is cut at it."""
    write_results(tmp_path, [result('fox;=1+1;"x"')])
    written = (tmp_path / "results.csv").read_text("utf-8-sig").splitlines()[1]
    assert written.startswith('"fox;=1+1;""x""",')
    assert table(tmp_path)[0]["key"] == 'fox;=1+1;"x"'


def test_excel_is_told_that_it_is_utf_8(tmp_path: Path) -> None:
    write_results(tmp_path, [])
    assert (tmp_path / "results.csv").read_bytes().startswith(b'\xef\xbb\xbf"key",')
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_ends_of_lines_and_names_in_no_encoding_do_no_harm(tmp_path: Path) -> None:
    odd = "a\nb\u2028c\x85d\udc80"
    write_results(tmp_path, [result(odd), result("next")])
    assert [line["key"] for line in lines(tmp_path)] == [odd, "next"]
    assert [row["key"] for row in table(tmp_path)] == ["a\nb\u2028c\x85d\\udc80", "next"]


def test_what_a_signed_url_hides_is_not_written(tmp_path: Path) -> None:
    write_results(tmp_path, [result("a", error="GET https://storage.example/a.png?signature=canary failed")])
    for name in ("results.jsonl", "results.csv"):
        text = (tmp_path / name).read_text("utf-8")
        assert "storage.example/a.png" in text
        assert "canary" not in text


def test_a_failure_leaves_the_old_files_and_nothing_else(tmp_path: Path) -> None:
    write_results(tmp_path, [result("old")])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def broken() -> Iterator[RowResult]:
        yield result("new")
        raise OSError("the database is gone")

    with pytest.raises(OSError, match="is gone"):
        write_results(tmp_path, broken())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    write_results(tmp_path, [result("new")])
    assert [row["key"] for row in table(tmp_path)] == ["new"]
    assert {path.name for path in tmp_path.iterdir()} == set(before)


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    write_results(tmp_path, [result("old")])

    def seen() -> Iterator[RowResult]:
        yield result("new")
        assert [row["key"] for row in table(tmp_path)] == ["old"]
        assert [line["key"] for line in lines(tmp_path)] == ["old"]

    write_results(tmp_path, seen())
    assert [row["key"] for row in table(tmp_path)] == ["new"]
