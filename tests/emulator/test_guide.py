"""The guide of the emulator is correct: its table is the real one, and its commands work."""

import re
import shlex
from pathlib import Path

import httpx

from magic_hour_emulator._controls import CONTROLS, VIEWS
from magic_hour_emulator.faults import KINDS, REQUIRED, STEPS

GUIDE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
HEADER = "| kind | what happens | steps | phases | parameters |\n|---|---|---|---|---|"


def row(kind):
    parameters = ", ".join(
        f"`{name}`" + ("" if default is REQUIRED or default is None else f" = {default!r}")
        for name, default in kind.parameters.items()
    )
    steps = "all" if kind.steps == STEPS else ", ".join(kind.steps)
    return f"| `{kind.name}` | {kind.summary} | {steps} | {', '.join(kind.phases)} | {parameters} |"


def test_the_table_of_kinds_is_the_table():
    written = GUIDE.split("<!-- kinds -->\n")[1].split("<!-- end of kinds -->")[0]
    expected = "\n".join([HEADER, *map(row, KINDS.values())]) + "\n"
    assert written == expected, f"put this between the markers of docs/emulator.md:\n{expected}"


def test_the_commands_work(emulator):
    shell = re.findall(r"^curl .*$", GUIDE, re.MULTILINE)
    answers = [_curl(line.replace("$MAGIC_HOUR_BASE_URL", emulator.url)) for line in shell]
    assert [answer.status_code for answer in answers] == [201, 201, 200, 204]
    assert [fault["kind"] for fault in answers[2].json()["pending"]] == ["rate_limited", "cut"]


def _curl(line):
    """Send what curl would send; curl need not be installed."""
    words = iter(shlex.split(line)[1:])
    method, content, url = "GET", None, ""
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "--json":
            method, content = "POST", next(words)
        else:
            url = word
    headers = {"Content-Type": "application/json"} if content else {}
    return httpx.request(method, url, content=content, headers=headers)


def test_every_control_is_in_the_guide_and_no_other():
    written = set(re.findall(r"`(?:(?:GET|POST|DELETE) )?/_emulator/([^`?\s]*)[^`]*`", GUIDE)) - {""}
    assert written == {re.sub(r":\w+\}", "}", path) for _, path in (*CONTROLS, *VIEWS)}
