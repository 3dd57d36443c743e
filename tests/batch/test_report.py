"""The report as text: what is in it, and what cannot be. How it looks and works: test_report_browser.py."""

from __future__ import annotations

import json
import re
import shlex
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from batch.sample_report import HOSTILE, summary
from magic_hour_client._runtime.redaction import escaped
from magic_hour_workflows.batch._report import LABELS, remedy, write_report
from magic_hour_workflows.batch._rows import RowResult, RowStatus


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


def test_what_a_signed_url_hides_is_not_written(tmp_path: Path) -> None:
    page = written(tmp_path, result("a", RowStatus.FAILED, error="GET https://storage.example/a.png?signature=canary"))
    assert "storage.example/a.png" in page
    assert "canary" not in page


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
