"""The output depends on the document, the templates and the pinned tools, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.tree import differences, files_in
from programs import python

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "generate.py"
PLAIN = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
# PYTHONUTF8=0 and PYTHONCOERCECLOCALE=0: otherwise Python quietly replaces the C locale by UTF-8.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TURKISH = {"PYTHONHASHSEED": "31337", "TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}


def generated(output: Path, environment: dict[str, str], folder: Path) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    done = python(SCRIPT, "--output", output, variables={**PLAIN, **environment}, cwd=folder)
    assert done.returncode == 0, done.stderr
    return files_in(output)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("plain")
    return generated(folder / "out", {}, folder / "cwd")


@pytest.mark.slow
def test_same_bytes_everywhere(reference: dict[str, bytes], tmp_path: Path) -> None:
    # A folder whose git ignores everything and whose modules have the names of tools: neither may matter.
    elsewhere = tmp_path / "build"
    elsewhere.mkdir()
    (elsewhere / ".git").mkdir()
    (elsewhere / ".gitignore").write_text("*\n")
    (elsewhere / "ruff.toml").write_text("line-length = 40\nformat.quote-style = 'single'\n")
    (elsewhere / "ruff.py").write_text("raise SystemExit('imported from the current folder')\n")
    environment = {**TURKISH, "TMPDIR": str(elsewhere)}
    assert len(reference) > 90
    assert differences(reference, generated(tmp_path / "out", environment, elsewhere), "out") == []


@pytest.mark.slow
def test_a_second_run_changes_nothing_in_any_encoding(reference: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in reference.items():
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert generated(tmp_path / "out", {"PYTHONHASHSEED": "4294967295", **ASCII}, tmp_path) == reference
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == stamps
