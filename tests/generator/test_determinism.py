"""The output depends on the document, the templates and the pinned tools, and on nothing else.

Rule: what a process elsewhere makes is compared with what this one makes, whose strings are hashed at random.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import generate
from generator.tree import differences, files_in
from programs import python

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec" / "magic-hour.openapi.yaml"
FOREIGN = Path(__file__).with_name("foreign.openapi.yaml")
SCRIPT = ROOT / "scripts" / "generate.py"
PLAIN = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
# PYTHONUTF8=0 and PYTHONCOERCECLOCALE=0: otherwise Python quietly replaces the C locale by UTF-8.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TURKISH = {"PYTHONHASHSEED": "31337", "TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}


def generated(output: Path, environment: dict[str, str], folder: Path, *options: object) -> dict[str, bytes]:
    done = python(SCRIPT, "--output", output, *options, variables={**PLAIN, **environment}, cwd=folder)
    assert done.returncode == 0, done.stderr
    return files_in(output)


@pytest.mark.slow
def test_same_bytes_everywhere(tmp_path: Path) -> None:
    # A folder whose git ignores everything and whose modules have the names of tools: neither may matter.
    elsewhere = tmp_path / "build"
    elsewhere.mkdir()
    (elsewhere / ".git").mkdir()
    (elsewhere / ".gitignore").write_text("*\n")
    (elsewhere / "ruff.toml").write_text("line-length = 40\nformat.quote-style = 'single'\n")
    (elsewhere / "ruff.py").write_text("raise SystemExit('imported from the current folder')\n")
    environment = {**TURKISH, "TMPDIR": str(elsewhere)}
    generate.run(SPEC, tmp_path / "here", resources=True)
    here = files_in(tmp_path / "here")
    assert len(here) > 90
    assert differences(here, generated(tmp_path / "out", environment, elsewhere), "out") == []


@pytest.mark.slow
def test_a_second_run_changes_nothing_in_any_encoding(tmp_path: Path) -> None:
    spec, out = tmp_path / "spec.yaml", tmp_path / "out"
    text = FOREIGN.read_text(encoding="utf-8").replace("List the books", "List the books 🙈")
    spec.write_text(text, encoding="utf-8")
    generate.run(spec, out)
    here, stamps = files_in(out), {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert any("🙈".encode() in content for content in here.values())
    assert generated(out, {"PYTHONHASHSEED": "4294967295", **ASCII}, tmp_path, "--spec", spec) == here
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stamps
