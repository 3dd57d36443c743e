"""The arrows between packages and modules: what is planted against them is found, and each package imports first."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from programs import python

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [
    "magic_hour_client", "magic_hour_client.client", "magic_hour_resources", "magic_hour_resources.v1",
    "magic_hour_resources.v1_image_projects", "magic_hour_workflows", "magic_hour_workflows.runner",
    "magic_hour_workflows._flows.generate", "magic_hour_workflows.batch", "magic_hour_emulator",
]  # fmt: skip
NEVER_NAMED = {
    "generated/magic_hour_client": "magic_hour_(resources|workflows|emulator)",
    "templates/runtime": "magic_hour",
    "generated/magic_hour_resources": r"magic_hour_(emulator|workflows(?!\.runner))",
    "workflows/magic_hour_workflows/_flows": "magic_hour_(resources|emulator)",
    # Its plugin has a fixture that is called `magic_hour_client`.
    "emulator/magic_hour_emulator": r"(import |from |module\(.)magic_hour_[cr]|magic_hour_(client|resources)\.",
}
"""What no line of a lower layer says, not even in a string."""


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_can_be_imported_first(package: str) -> None:
    done = python("-W", "error", "-c", f"import {package}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", NEVER_NAMED)
def test_a_lower_layer_names_no_upper_one(folder: str) -> None:
    names = re.compile(NEVER_NAMED[folder])
    files = [path for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts]
    assert files
    for path in files:
        found = [line for line in path.read_text(encoding="utf-8").splitlines() if names.search(line)]
        assert not found, path


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and the rules, to plant something in."""
    target = tmp_path_factory.mktemp("layers")
    for folder in ("generated", "workflows", "emulator"):
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


PLANTS = {
    "an upper layer": ("workflows/magic_hour_workflows/_flows/wait.py", "from ..runner import Runner", "cli -> batch"),
    "an upper layer, for type checking": ("generated/magic_hour_resources/v1.py",
     "if _t.TYPE_CHECKING:\n    from magic_hour_workflows import _client", "cli -> batch"),
    "another way in": ("generated/magic_hour_resources/v1.py", "from magic_hour_workflows import _flows",
     "Resources import one module"),
    "a cycle": ("workflows/magic_hour_workflows/batch/_rows.py", "from . import _store", "No cycle"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_import_breaks_a_rule(name: str, copy: Path) -> None:
    place, line, rule = PLANTS[name]
    path = copy / place
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    try:
        program = "import sys; sys.path[:0] = ['generated', 'workflows', 'emulator']; " + (
            "from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
        )
        done = python("-c", program, cwd=copy)
    finally:
        path.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"{rule}.*?BROKEN", done.stdout, re.DOTALL), done.stdout


def test_a_planted_private_access_breaks_a_rule() -> None:
    def ruff(line: str) -> int:
        program = f"def address(client: object) -> object:\n    return client.{line}  # type: ignore[attr-defined]\n"
        name = "workflows/magic_hour_workflows/cli/planted.py"
        command = ("-m", "ruff", "check", "--quiet", "--select", "SLF", "--stdin-filename", name, "-")
        return python(*command, cwd=ROOT, input=program).returncode

    assert (ruff("_transport"), ruff("base_url")) == (1, 0)


@pytest.mark.parametrize("package", ["magic_hour_client/api", "magic_hour_client/resources", "magic_hour_resources"])
def test_generated_code_uses_nothing_private_of_others(package: str) -> None:
    command = ("-m", "ruff", "check", "--isolated", "--quiet", "--select", "SLF", "--exclude", "none")
    done = python(*command, ROOT / "generated" / package)
    assert done.returncode == 0, done.stdout
