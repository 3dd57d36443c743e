"""The results as files: JSON lines, a table, and the text of the page. Its looks: test_report_browser.py."""

from __future__ import annotations

import csv
import json
import re
import shlex
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from batch.sample_report import HOSTILE, summary
from magic_hour_client._runtime.redaction import escaped, without_secrets
from magic_hour_workflows.batch._asked import inputs_of, prompt_of
from magic_hour_workflows.batch._report import FIELDS, LABELS, remedy, write_report, write_results
from magic_hour_workflows.batch._rows import RowResult, RowStatus


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
        prompt="Two foxes",
        inputs=[str(tmp_path / "in" / "a.png"), "api-assets/b.png", "https://x.example/c.png?signature=canary"],
    )
    lost = RowResult(
        key="owl", endpoint="ai_talking_photo", status=RowStatus.DOUBTFUL, kind="video", credits=None, error="cut",
        error_type="SubmissionUnknown",
    )  # fmt: skip
    assert write_results(tmp_path, iter([fox, lost])) == (tmp_path / "results.jsonl", tmp_path / "results.csv")
    inputs = ["in/a.png", "api-assets/b.png", without_secrets("https://x.example/c.png?signature=canary")]
    assert "canary" not in inputs[-1]
    empty = dict.fromkeys(("id", "seconds", "error", "error_type", "name", "prompt"))
    empty |= {"paths": [], "sizes": [], "sha256": [], "inputs": []}
    assert lines(tmp_path) == [
        {
            **empty, "key": "Füchse", "endpoint": "ai_image_generator", "status": "saved", "id": "c1", "credits": 10,
            "paths": ["fox-1.png", "more/fox-2.png"], "sizes": [11, 22], "sha256": ["aa", "bb"], "seconds": 2.5,
            "name": "batch Füchse", "kind": "image", "prompt": "Two foxes", "inputs": inputs,
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
        "error_type": "", "name": "batch Füchse", "kind": "image", "prompt": "Two foxes", "inputs": "|".join(inputs),
    }  # fmt: skip
    assert (second["credits"], second["error"], second["paths"]) == ("", "cut", "")


@pytest.mark.parametrize(
    ("endpoint", "parameters", "prompt", "inputs"),
    [
        ("ai_image_generator", {"image_count": 1, "style": {"prompt": "A fox"}}, "A fox", []),
        ("ai_meme_generator", {"style": {"topic": "Mondays", "template": "Random"}}, "Mondays", []),
        ("ai_qr_code_generator", {"content": "https://x", "style": {"art_style": "Ink"}}, "https://x", []),
        (
            "ai_headshot_generator",
            {"assets": {"image_file_path": "/a.png"}, "style": {"prompt": " "}},
            None,
            ["/a.png"],
        ),
        (
            "face_swap_photo",
            {"assets": {"target_file_path": "/a", "face_mappings": [{"new_face": "/b"}, {"new_face": "/a"}, {}]}},
            None,
            ["/a", "/b"],
        ),
        ("lip_sync", {"assets": None}, None, []),
    ],
)
def test_what_was_asked_comes_from_the_contract(
    endpoint: str, parameters: dict[str, Any], prompt: str | None, inputs: list[str]
) -> None:
    assert prompt_of(endpoint, parameters) == prompt
    assert sorted(inputs_of(endpoint, parameters)) == inputs


def test_the_page_has_short_texts_and_links_to_local_inputs(tmp_path: Path) -> None:
    given = [str(tmp_path / "in #1.png"), "data:image/png;base64," + "A" * 999, "api-assets/b.png"]
    (row,) = data(written(tmp_path, result("fox", prompt="p" * 9999, inputs=given)))
    assert row["prompt"] == "p" * 2000 + "…"
    assert row["inputs"] == ["in #1.png", "data:image/png;base64,AAAAAAAA...", "api-assets/b.png"]
    assert row["input_urls"] == ["in%20%231.png", "", ""]


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
    row = result("a", RowStatus.FAILED, error="GET https://storage.example/a.png?signature=canary failed")
    written(tmp_path, row)
    write_results(tmp_path, [row])
    for name in ("results.jsonl", "results.csv", "report.html"):
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


def result(key: str, status: RowStatus = RowStatus.SAVED, **values: Any) -> RowResult:
    return RowResult(key=key, endpoint="ai_image_generator", status=status, **values)


def written(directory: Path, *results: RowResult, title: str = "portraits.csv", halted: str | None = None) -> str:
    path = write_report(directory, iter(results), summary(list(results), halted), title)
    assert path == directory / "report.html"
    return path.read_text("utf-8")


def data(page: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found
    rows: list[dict[str, Any]] = json.loads(found[1])["rows"]
    return rows


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_never_become_markup(tmp_path: Path, text: str) -> None:
    row = result(text, RowStatus.FAILED, error=text, name=text)
    plain = Tags(written(tmp_path, result("fox", RowStatus.FAILED), title="plain", halted="plain"))
    page = written(tmp_path, row, title=text, halted=text)
    assert [tag for tag, _ in Tags(page).tags] == [tag for tag, _ in plain.tags]
    assert [attributes.keys() for _, attributes in Tags(page).tags] == [attrs.keys() for _, attrs in plain.tags]
    (shown,) = data(page)
    assert (shown["key"], shown["error"], shown["name"]) == (text, escaped(text), text)


def test_a_title_that_utf_8_cannot_say(tmp_path: Path) -> None:
    assert r"\udc80 · Magic Hour batch" in written(tmp_path, result("a\udc80"), title="\udc80")


def test_everything_is_inside_but_media_and_tables(tmp_path: Path) -> None:
    page = written(tmp_path, result("fox", paths=[tmp_path / "fox-1.png"]))
    outside = {
        value for _, attributes in Tags(page).tags for name, value in attributes.items() if name in ("href", "src")
    }
    assert outside == {"#results", "data:,", "results.csv", "results.jsonl"}
    assert "//" not in "".join(re.findall(r'[a-z]+:[^\s"\']*//', page.replace("file://", "")))


def test_file_names_are_quoted(tmp_path: Path) -> None:
    names = ["100% #1 ä?&.png", "javascript:alert(1).png", "a b\\c\"'.mp4", "more/x.png"]
    (row,) = data(written(tmp_path, result("fox", paths=[tmp_path / name for name in names])))
    assert row["paths"] == names
    assert row["urls"] == [
        "100%25%20%231%20%C3%A4%3F%26.png", "javascript%3Aalert%281%29.png", "a%20b%5Cc%22%27.mp4", "more/x.png"
    ]  # fmt: skip


def test_totals(tmp_path: Path) -> None:
    rows = [result(str(number), credits=1250) for number in range(1, 4)]
    rows += [result("half", credits=0.5), result("lost", RowStatus.DOUBTFUL, credits=None)]
    text = Tags(written(tmp_path, *rows)).text
    words = " ".join(text.split())
    assert "Rows 5 Saved 4 Credits charged without doubtful rows 3,750.5 Saved 4 Doubtful 1" in words


def test_every_status_has_its_label_and_only_saved_rows_need_nothing() -> None:
    assert set(LABELS) == set(RowStatus)
    assert [status for status in RowStatus if not remedy(result("a", status))] == [RowStatus.SAVED]


@pytest.mark.parametrize("key", ["fox", "it's; rm -rf $HOME `x`", "-fox", "--project", 'a"b', "Größe #1"])
def test_the_commands_take_the_key_as_it_is(key: str) -> None:
    commands = [command for _, command in remedy(result(key, RowStatus.DOUBTFUL))]
    for command, option in zip(commands, (["--project", "ID"], ["--not-charged"]), strict=True):
        words = shlex.split(command)
        dashes = ["--"] if key.startswith("-") else []
        assert words == ["magic-hour", "batch", "settle", *option, *dashes, key]


def test_commands_carry_what_they_have_to_be_told() -> None:
    options = ["--database", "/a b/it's.sqlite"]
    for status in (RowStatus.FAILED, RowStatus.DOUBTFUL):
        for _, command in remedy(result("fox", status), options):
            assert shlex.split(command)[3:5] == options


@pytest.mark.parametrize("key", ["a\nrm -rf x\n", "\x1b[201~reboot\n", "‮exe"])
def test_no_command_has_what_a_terminal_acts_upon(key: str) -> None:
    commands = [command for _, command in remedy(result(key, RowStatus.DOUBTFUL))]
    assert commands == ["magic-hour batch settle --project ID KEY", "magic-hour batch settle --not-charged KEY"]


def test_a_failure_leaves_the_old_page_and_nothing_else(tmp_path: Path) -> None:
    before = written(tmp_path, result("old"))
    with pytest.raises(TypeError):
        write_report(tmp_path, [result("new")], None, "title")  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text("utf-8") == before


def test_the_same_results_give_the_same_page(tmp_path: Path) -> None:
    rows = [result("fox", paths=[tmp_path / "fox-1.png"]), result("owl", RowStatus.SKIPPED)]
    assert written(tmp_path, *rows) == written(tmp_path, *rows)


def test_without_jinja_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ModuleNotFoundError, match=re.escape("pip install 'magic-hour-workflows[batch]'")):
        written(tmp_path, result("fox"))
