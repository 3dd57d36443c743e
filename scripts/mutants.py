"""Mutation testing of the decision code: does a test fail for every way of getting a decision wrong?

    make mutants                        all of the decision code, some minutes
    make mutants ARGS="flows/wait.py"   one file

mutmut changes one thing at a time in every function and runs the fast tests that reach it, those on a fake IO. What no
test notices is a gap, or changes nothing that matters; then tests/mutants/survivors.toml says why. mutmut expects
packages in `src/`, so it works in a temporary copy laid out that way. It leaves alone what stands outside functions
(the constants), and functions with decorators.

Rule: every survivor is explained, and every explanation still has its survivor. A mutant that never ends is dead too.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = Path("src/magic_hour_workflows")
EXPLAINED = ROOT / "tests/mutants/survivors.toml"
TARGETS = (
    "retry.py",
    "results.py",
    "checksums.py",
    *(f"flows/{name}.py" for name in ("submit", "wait", "call", "download", "upload", "generate")),
    "checks.py",
    "credits.py",
)
TESTS = tuple(
    f"tests/workflows/test_{name}.py"
    for name in ("submit", "wait", "generate", "checksums", "decisions", "decisions_files", "decisions_prices")
)
"""Those on a fake IO: all of them take two seconds. Others, against the emulator, would take the same mutants hours."""

KILLED = {1, 3}
SURVIVED = {0, 5, 33, None}
"""What mutmut writes down of a worker: its tests failed; they passed, or there are none. The rest ended by force."""

WORKERS = "2"
MEMORY = 800 * 2**20
"""Bytes of address space for one process; about 450 MB of it are the interpreter with everything imported."""

Mutant = tuple[str, str]
"""The function, such as `flows/wait.py interval`, and the lines that differ: both outlive moving code about."""

_SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {only}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["--timeout=20", "--hypothesis-profile=ci", "-p", "no:cacheprovider"]
timeout_constant = 4.0
track_dependencies = false
use_git_change_detection = false
"""


def lay_out(copy: Path, targets: list[str]) -> None:
    """Make the copy that mutmut works in."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workflows/magic_hour_workflows", copy / PACKAGE, ignore=ignored)
    for name in ("tests/conftest.py", "tests/worlds.py", "tests/fakes.py", *TESTS):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    settings = _SETTINGS.format(only=json.dumps([str(PACKAGE / name) for name in targets]), tests=json.dumps(TESTS))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (copy / "pyproject.toml").write_text(project + settings, encoding="utf-8")


def run(copy: Path) -> None:
    """Let mutmut try every mutant."""
    mutmut = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", WORKERS]
    with (copy / "log").open("w+", encoding="utf-8") as log:
        done = subprocess.run(mutmut, cwd=copy, stdout=log, stderr=log, check=False, preexec_fn=_limit_memory)
    if done.returncode:
        sys.exit(f"mutmut did not get through:\n{(copy / 'log').read_text(encoding='utf-8')[-4000:]}")


def _limit_memory() -> None:
    """A mutant that repeats without end fills the memory with what the fake IO records: so it ends soon."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def outcomes(copy: Path, target: str) -> list[tuple[Mutant, str]]:
    """Every mutant of a file, and what became of it: killed, survived, or ended by force."""
    path = PACKAGE / target
    meta = json.loads((copy / "mutants" / f"{path}.meta").read_text(encoding="utf-8"))
    diff_of = importlib.import_module("mutmut.mutation.diff_apply").get_diff_for_mutant  # it is installed elsewhere
    found = []
    with contextlib.chdir(copy):
        for name, code in meta["exit_code_by_key"].items():
            how = "killed" if code in KILLED else "survived" if code in SURVIVED else "ended by force"
            lines = diff_of(name, path=path).splitlines()[2:]
            changed = [f"{line[0]} {line[1:].strip()}" for line in lines if line[:1] in ("-", "+")]
            found.append(((f"{target} {_function(name)}", "\n".join(changed)), how))
    return found


def _function(name: str) -> str:
    """What mutmut calls `a.b.xǁCallǁroom__mutmut_1` is `Call.room`, and `a.b.x_wait__mutmut_1` is `wait`."""
    mangled = name.rpartition(".")[2].partition("__mutmut_")[0]
    return mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")


def explanations(targets: list[str]) -> dict[Mutant, str]:
    """What is known to survive in these files, and why."""
    known: dict[Mutant, str] = {}
    for entry in tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["explained"]:
        if entry["function"].split()[0] in targets:
            known |= {(entry["function"], mutant.strip()): entry["why"] for mutant in entry["mutants"]}
    return known


def try_all(targets: list[str]) -> list[tuple[Mutant, str]]:
    """What became of the mutants of these files, counted aloud."""
    found = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        lay_out(Path(folder), targets)
        run(Path(folder))
        for target in targets:
            of_this = outcomes(Path(folder), target)
            counts = Counter(how for _, how in of_this)
            print(f"{target:<18}", ", ".join(f"{count} {how}" for how, count in sorted(counts.items())))
            found += of_this
    return found


def main(targets: list[str]) -> int:
    """Try the mutants of some files and say what is not explained."""
    if unknown := set(targets) - set(TARGETS):
        sys.exit(f"no decision code: {', '.join(sorted(unknown))}; there is {', '.join(TARGETS)}")
    known = explanations(targets)
    found = try_all(targets)
    unexplained = [mutant for mutant, how in found if how == "survived" and mutant not in known]
    # What was ended by force may only have met a busy machine: that makes no explanation stale.
    stale = set(known) - {mutant for mutant, how in found if how != "killed"}
    for function, change in unexplained:
        print(f"\nNo test notices, and nothing explains, in {function}:\n{change}")
    for function, change in sorted(stale):
        print(f"\nExplained, but killed or gone, in {function}:\n{change}")
    if unexplained or stale:
        print(f"\nmutants: {len(unexplained)} not explained, {len(stale)} explanations stale")
        return 1
    print(f"mutants: ok, {len(known)} explained")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(TARGETS)))
