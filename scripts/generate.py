#!/usr/bin/env python3
"""Regenerate the low-level client and its reference pages from the contract.

    python scripts/generate.py                                  write generated/ and docs/reference/
    python scripts/generate.py --check                          write nothing; exit 1 if something would change
    python scripts/generate.py --spec my.yaml --output DIR      the same for any OpenAPI 3.0 or 3.1 document

Exit codes: 0 done, 1 --check found differences, 2 wrong arguments, 3 invalid document, 4 unusable name,
5 something would be lost, 6 other generator version, 7 broken output.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from generator.build import Build  # noqa: E402  (found only after the line above)
from generator.contract import load  # noqa: E402
from generator.problems import Differs, Problem  # noqa: E402
from generator.reference import pages  # noqa: E402
from generator.tree import differences, files_in, sync  # noqa: E402

DEFAULT_SPEC = ROOT / "spec" / "magic-hour.openapi.yaml"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        print(run(arguments.spec, arguments.output, check=arguments.check))
    except Problem as problem:
        print(f"generate.py: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


def run(spec: Path, output: Path | None, *, check: bool = False) -> str:
    """Generate everything and compare or write it; returns what to tell the user.

    Raises:
        Problem: something stops the generator; nothing was written.
    """
    build = Build(load(spec), ROOT / "templates")
    generated, reference = _places(output, build.package)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / build.package
        build.write(folder)
        wanted = files_in(folder)
    wanted_pages = pages(build, reference, generated)
    if check:
        lines = differences(wanted, files_in(generated), generated.name)
        lines += differences(wanted_pages, files_in(reference), reference.name)
        if lines:
            raise Differs("generated files are not what the contract says; run scripts/generate.py:", lines)
        return f"{len(wanted)} files and {len(wanted_pages)} reference pages are up to date"
    changed = sync(wanted, generated) + sync(wanted_pages, reference)
    return f"{len(wanted)} files and {len(wanted_pages)} reference pages, {changed} changed"


def _places(output: Path | None, package: str) -> tuple[Path, Path]:
    if output is None:
        return ROOT / "generated" / package, ROOT / "docs" / "reference"
    return output / package, output / "reference"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="generate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 if something would change")
    parser.add_argument("--spec", type=Path, default=DEFAULT_SPEC, help="the OpenAPI document (default: the contract)")
    parser.add_argument("--output", type=Path, help="where to put package and reference/ (default: this project)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
