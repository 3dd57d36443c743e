"""The page as files: what it may do, and that it does nothing that a program could not do."""

import re

import httpx
import pytest

from magic_hour_emulator._controls import CONTROLS, VIEWS
from magic_hour_emulator._page import _FOLDER, PAGE_FILES

TEXTS = {name: (_FOLDER / name).read_text(encoding="utf-8") for name in sorted(PAGE_FILES)}


def test_the_page_and_its_files_are_served(emulator):
    page = httpx.get(f"{emulator.url}/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    used = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    imported = [f"/_emulator/page/{name}" for text in TEXTS.values() for name in re.findall(r'from "\./([^"]+)"', text)]
    for path in {*used, *imported}:
        assert httpx.get(emulator.url + path).status_code == 200, path
    assert {path.rpartition("/")[2] for path in (*used, *imported)} == PAGE_FILES - {"index.html"}
    assert httpx.get(f"{emulator.url}/_emulator/page/..%2f_api.py").status_code == 404
    assert len(emulator.requests) == 0


def test_its_policy_allows_nothing_but_its_own_files(emulator):
    headers = httpx.get(f"{emulator.url}/").headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    own = {f"{kind}-src" for kind in ("script", "style", "img", "media", "connect")}
    assert {name for name, value in policy.items() if value == "'self'"} == own
    assert {name for name, value in policy.items() if value == "'none'"} == {
        "default-src", "base-uri", "form-action", "frame-ancestors", "trusted-types",
    }  # fmt: skip
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")


@pytest.mark.parametrize(
    "pattern", [r"\son\w+=", r"\sstyle=", r"<script(?![^>]* src=)", r"<style", r"https?://(?!www\.w3\.org/2000/svg)"]
)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(pattern):
    for name in ("index.html", "page.css", "icon.svg"):
        assert re.findall(pattern, TEXTS[name]) == [], name


@pytest.mark.parametrize(
    "sink", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "Function("]
)
def test_texts_never_become_markup(sink):
    for name, text in TEXTS.items():
        assert sink not in text, name


def test_everything_the_page_does_is_a_control():
    """All its requests are in api.js, each is a control, and no other file sends one."""
    texts = {name: text for name, text in TEXTS.items() if name.endswith(".js")}
    api = texts.pop("api.js")
    for name, text in texts.items():
        assert not re.search(r"fetch\(|EventSource|XMLHttpRequest|sendBeacon|WebSocket|_emulator/", text), name
    shapes = {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in (*CONTROLS, *VIEWS)}
    calls = re.findall(r'call\("([A-Z]+)", ["`]([^"`]+)["`]', api)
    loads = [("GET", path) for path in re.findall(r"`\$\{ROOT\}([^`]+)`", api)]
    used = {(method, re.sub(r"\$\{[^}]*\}", "{}", path).split("?")[0]) for method, path in (*calls, *loads)}
    assert len(calls) == api.count("call(") - 1
    assert len(used) > 12
    assert used - shapes == set()
