"""Mutation testing: does a test fail for every way of getting a decision wrong?

    make mutants                         the decisions of the flows, some minutes
    make mutants ARGS="_flows/wait.py"   one file, of these or of the wider set
    make mutants ARGS="batch"            a part of the wider set: batch, client, cli
    make mutants ARGS="all"              everything that is listed here, hours

mutmut changes one thing at a time in every function and runs the fast tests that reach it, on a fake backend. What no
test notices is a gap, or changes nothing that matters; then tests/mutants/survivors.toml says why. mutmut expects
packages in `src/`, so it works in a temporary copy laid out that way. It leaves alone what is outside of functions
(the constants), and functions with decorators.

Rule: every survivor of the flows is explained, and every explanation still has its survivor; those of the wider set are
read, and only counted until somebody has explained them. A mutant that never ends counts as killed.
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
from functools import partial
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
EXPLAINED = ROOT / "tests/mutants/survivors.toml"


@attrs.frozen(kw_only=True)
class Part:
    """Some files, and the tests that have to notice when one of them decides wrongly.

    Attributes:
        package: where the files are.
        targets: the files.
        tests: those without real time; others would take the same mutants hours.
        needed: what these tests need beside the modules directly in `tests/`.
    """

    package: Path
    targets: tuple[str, ...]
    tests: tuple[str, ...]
    needed: tuple[str, ...] = ()

    @property
    def copied(self) -> Path:
        """Where mutmut finds the package."""
        return Path("src", self.package.name)


_WORKFLOWS = Path("workflows/magic_hour_workflows")
_CLI_TESTS = ("commands", "money", "terminal", "printing", "session", "batch")
PARTS = {
    "flows": Part(
        package=_WORKFLOWS,
        targets=(
            "_retry.py",
            "_results.py",
            "_checksums.py",
            *(f"_flows/{name}.py" for name in ("submit", "wait", "call", "download", "upload", "generate")),
            "_credits.py",
        ),
        tests=tuple(
            f"tests/workflows/test_{name}.py"
            for name in ("submit", "wait", "generate", "checksums", "decisions", "decisions_files", "decisions_prices")
        ),
    ),
    "batch": Part(
        package=_WORKFLOWS,
        targets=tuple(
            f"batch/_{name}.py" for name in ("claims", "submission", "side_file", "fleet", "output_dir", "row_workflow")
        ),
        tests=tuple(
            f"tests/batch/test_{name}.py"
            for name in ("claims", "claim_schedules", "submission", "steps", "row_workflow", "fleet", "output_dir")
        ),
        needed=("tests/batch",),
    ),
    "client": Part(
        package=Path("generated/magic_hour_client"),
        targets=tuple(
            f"_runtime/{name}.py" for name in ("transport", "deadline", "shield", "endpoints", "conditions", "errors")
        ),
        tests=("tests/client",),
    ),
    "cli": Part(
        package=_WORKFLOWS,
        targets=("cli/signals.py", "cli/terminal.py", "cli/exit_status.py", "cli/generate.py", "cli/batch/run.py"),
        tests=tuple(f"tests/cli/test_{name}.py" for name in _CLI_TESTS),
        needed=("tests/batch", "tests/cli"),
    ),
}
TARGETS = PARTS["flows"].targets
"""Those of which every survivor is explained."""

KILLED = {1, 3}
SURVIVED = {0, 5, 33, None}
"""What mutmut records for a worker: its tests failed; they passed, or there are none. The rest were ended by force."""

WORKERS = "2"
MEMORY = 800 * 2**20
"""Bytes of address space for one process; about 450 MB of it are the interpreter with everything imported."""
MORE_MEMORY = 3 * 2**30
"""The same with a database engine, an emulator in a thread or worker threads, each of which reserves a stack."""

Mutant = tuple[str, str]
"""The function, such as `_flows/wait.py interval`, and the lines that differ: both outlive moving code about."""

_SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {only}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = [
  "--timeout={limit}", "--hypothesis-profile=ci", "-p", "no:cacheprovider",
  "-k", "not postgresql and not remedy_inside",
]
timeout_constant = {seconds}
track_dependencies = false
use_git_change_detection = false
"""


def _helpers() -> list[str]:
    """What tests of every part share: the modules directly in `tests/`."""
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").glob("*.py"))]


def lay_out(copy: Path, part: Part, targets: list[str]) -> None:
    """Make the copy that mutmut works in."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / part.package, copy / part.copied, ignore=ignored)
    for name in (*_helpers(), *part.needed, *part.tests):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, copy / name)
    settings = _SETTINGS.format(
        only=json.dumps([str(part.copied / name) for name in targets]),
        tests=json.dumps(part.tests),
        seconds=4.0 if part is PARTS["flows"] else 20.0,
        limit=20 if part is PARTS["flows"] else 120,
    )
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (copy / "pyproject.toml").write_text(project + settings, encoding="utf-8")


def run(copy: Path, memory: int) -> None:
    """Let mutmut try every mutant."""
    mutmut = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", WORKERS]
    # A mutant that repeats without end fills the memory with what the fake backend records; the limit ends it soon.
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (memory, memory))
    with (copy / "log").open("w+", encoding="utf-8") as log:
        done = subprocess.run(mutmut, cwd=copy, stdout=log, stderr=log, check=False, preexec_fn=limit)
    if done.returncode:
        sys.exit(f"mutmut did not get through:\n{(copy / 'log').read_text(encoding='utf-8')[-4000:]}")


def outcomes(copy: Path, part: Part, target: str) -> list[tuple[Mutant, str]]:
    """Every mutant of a file, and what became of it: killed, survived, or ended by force."""
    path = part.copied / target
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


def try_all(part: Part, targets: list[str]) -> list[tuple[Mutant, str]]:
    """What became of the mutants of these files; prints the counts."""
    found = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        lay_out(Path(folder), part, targets)
        run(Path(folder), MEMORY if part is PARTS["flows"] else MORE_MEMORY)
        for target in targets:
            of_this = outcomes(Path(folder), part, target)
            counts = Counter(how for _, how in of_this)
            print(f"{target:<18}", ", ".join(f"{count} {how}" for how, count in sorted(counts.items())), flush=True)
            found += of_this
    return found


def chosen(words: list[str]) -> dict[str, list[str]]:
    """The files that were asked for, by their parts; those of the flows if nothing was."""
    words = words or ["flows"]
    found: dict[str, list[str]] = {}
    for name, part in PARTS.items():
        wanted = [target for target in part.targets if {target, name, "all"} & set(words)]
        if wanted:
            found[name] = wanted
    known = {"all", *PARTS, *(target for part in PARTS.values() for target in part.targets)}
    if unknown := set(words) - known:
        sys.exit(f"no decision code: {', '.join(sorted(unknown))}; there is {', '.join(sorted(known))}")
    return found


def main(words: list[str]) -> int:
    """Try the mutants of some files and say what is not explained."""
    wanted = chosen(words)
    targets = [target for some in wanted.values() for target in some]
    known = explanations(targets)
    found = [mutant for name, some in wanted.items() for mutant in try_all(PARTS[name], some)]
    unexplained = [mutant for mutant, how in found if how == "survived" and mutant not in known]
    # What was ended by force may only have met a busy machine: that makes no explanation stale.
    stale = set(known) - {mutant for mutant, how in found if how != "killed"}
    for function, change in unexplained:
        print(f"\nNo test notices, and nothing explains, in {function}:\n{change}")
    for function, change in sorted(stale):
        print(f"\nExplained, but killed or gone, in {function}:\n{change}")
    if unexplained or stale:
        print(f"\nmutants: {len(unexplained)} not explained, {len(stale)} explanations stale")
        return int(any(function.split()[0] in TARGETS for function, _ in [*unexplained, *stale]))
    print(f"mutants: ok, {len(known)} explained")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
