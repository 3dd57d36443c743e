"""What type checkers see: every public name has a type, every planted mistake is found, nothing right is refused."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from programs import python

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORRECT, MISUSE = HERE / "correct.py", HERE / "misuse.py"
# pyright's wrapper asks the network for a newer version unless told not to; pyright finds the environment by PATH.
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
}


def run(*arguments: str) -> str:
    return python("-m", *arguments, cwd=ROOT, env=ENVIRONMENT).stdout


def mypy() -> dict[Path, set[int]]:
    report = run("mypy", "--no-error-summary", "--no-pretty", str(CORRECT), str(MISUSE))
    found: dict[Path, set[int]] = {CORRECT: set(), MISUSE: set()}
    for path, line in re.findall(r"^(.+?):(\d+): error: ", report, re.MULTILINE):
        found.setdefault(ROOT / path, set()).add(int(line))
    return found


def pyright() -> dict[Path, set[int]]:
    report = json.loads(run("pyright", "--outputjson", str(CORRECT), str(MISUSE)))
    assert report["summary"]["filesAnalyzed"] == 2
    found: dict[Path, set[int]] = {CORRECT: set(), MISUSE: set()}
    for finding in report["generalDiagnostics"]:
        if finding["severity"] == "error":
            found.setdefault(Path(finding["file"]), set()).add(finding["range"]["start"]["line"] + 1)
    return found


@pytest.fixture(scope="module", params=[mypy, pyright], ids=lambda checker: checker.__name__)
def found(request: pytest.FixtureRequest) -> dict[Path, set[int]]:
    """The lines a checker complains about, by file; it checks both files in one go."""
    checked: dict[Path, set[int]] = request.param()
    return checked


def test_every_planted_mistake_is_found_and_no_other(found: dict[Path, set[int]]) -> None:
    lines = MISUSE.read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if "# expect-error" in line}
    assert len(marked) > 90
    assert sorted(marked - found[MISUSE]) == [], "not found"
    assert sorted(found[MISUSE] - marked) == [], "not marked"


def test_nothing_right_is_refused(found: dict[Path, set[int]]) -> None:
    assert found[CORRECT] == set()
    assert found.keys() == {CORRECT, MISUSE}


@pytest.mark.long  # make types, and so make test, does the same
@pytest.mark.parametrize("package", ["magic_hour_client", "magic_hour_workflows"])
def test_every_public_name_has_a_type(package: str) -> None:
    report = run("pyright", "--ignoreexternal", "--verifytypes", package)
    assert "Type completeness score: 100%" in report, report
