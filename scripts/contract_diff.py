#!/usr/bin/env python3
"""Compare the contract with another OpenAPI document of the service, in both directions.

    python scripts/contract_diff.py FILE             what differs, without what spec/differences.yaml explains
    python scripts/contract_diff.py FILE --all       all that differs, with the reasons

Compared are operations, fields, types, whether a field is required or may be null, lists of values and limits. Texts
and examples are not.

Exit codes: 0 no difference without a reason, 1 differences, 3 a document cannot be read.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import attrs  # noqa: E402  (found only after the line above)

from generator.bundle import read_document  # noqa: E402
from generator.contract import load  # noqa: E402
from generator.contract_fields import FieldRow, Fields, fields_by_operation  # noqa: E402
from generator.problems import InvalidSpec, Problem  # noqa: E402

OURS = ROOT / "spec" / "magic-hour.openapi.yaml"
KNOWN = ROOT / "spec" / "differences.yaml"
_WIDEST = 60


@attrs.frozen
class Difference:
    """One thing that the two documents do not agree on."""

    operation: str
    field: str
    what: str
    ours: str
    theirs: str
    reason: str = ""

    @property
    def place(self) -> str:
        return f"{self.operation} {self.field}".strip()


@attrs.frozen
class Known:
    """A difference that is meant, and why: patterns of its place, of what differs and of what theirs has there."""

    at: str
    what: str
    reason: str
    theirs: str = "*"

    def covers(self, difference: Difference) -> bool:
        pairs = ((difference.place, self.at), (difference.what, self.what), (difference.theirs, self.theirs))
        return all(fnmatch.fnmatchcase(text, _literal(pattern)) for text, pattern in pairs)


def _literal(pattern: str) -> str:
    """The pattern with only `*` special: names have brackets in them."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="contract_diff.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the other document, OpenAPI 3.0 or 3.1")
    parser.add_argument("--all", action="store_true", help="also list differences with a reason")
    parser.add_argument("--ours", type=Path, default=OURS, help="the contract (default: the one of this project)")
    parser.add_argument("--known", type=Path, default=KNOWN, help="differences that are meant, with their reasons")
    arguments = parser.parse_args(argv)
    try:
        known = read_known(arguments.known)
        ours, theirs = (fields_by_operation(load(path)) for path in (arguments.ours, arguments.file))
    except Problem as problem:
        print(f"contract_diff.py: {problem}", file=sys.stderr)
        return problem.exit_code
    found = [explained(difference, known) for difference in differences(ours, theirs)]
    new = [difference for difference in found if not difference.reason]
    unused = [entry for entry in known if not any(entry.covers(difference) for difference in found)]
    print("\n".join(report(found if arguments.all else new)))
    print(_summary(ours, theirs, found, new, unused))
    return 1 if new else 0


def differences(ours: dict[str, Fields], theirs: dict[str, Fields]) -> Iterator[Difference]:
    """Everything that differs: first what theirs has, in its order, then what only ours has."""
    names = {_without_names(name): name for name in ours}
    for operation, fields in theirs.items():
        own = names.get(_without_names(operation))
        if own is None:
            yield Difference(operation, "", "only theirs", "", f"{len(fields)} fields")
        else:
            yield from _of_operation(own, ours[own], fields)
    known = {_without_names(name) for name in theirs}
    for operation, fields in ours.items():
        if _without_names(operation) not in known:
            yield Difference(operation, "", "only ours", f"{len(fields)} fields", "")


def _of_operation(operation: str, ours: Fields, theirs: Fields) -> Iterator[Difference]:
    for field, row in theirs.items():
        if field in ours:
            yield from _of_field(operation, field, ours[field], row)
        elif not _below_another(field, theirs, ours):
            yield Difference(operation, field, "only theirs", "", str(row))
    for field, row in ours.items():
        if field not in theirs and not _below_another(field, ours, theirs):
            yield Difference(operation, field, "only ours", str(row), "")


def _of_field(operation: str, field: str, ours: FieldRow, theirs: FieldRow) -> Iterator[Difference]:
    pairs: list[tuple[str, Any, Any]] = [
        ("type", ours.type, theirs.type),
        ("required", _yes(ours.required), _yes(theirs.required)),
        ("may be null", _yes(ours.nullable), _yes(theirs.nullable)),
        ("values only ours", _only(ours.values, theirs.values), ""),
        ("values only theirs", "", _only(theirs.values, ours.values)),
        ("other values", _openness(ours), _openness(theirs)),
    ]
    pairs += [
        (limit, _shown(ours.limits.get(limit)), _shown(theirs.limits.get(limit)))
        for limit in dict.fromkeys([*ours.limits, *theirs.limits])
    ]
    for what, own, other in pairs:
        if own != other:
            yield Difference(operation, field, what, own, other)


def _below_another(field: str, here: Fields, there: Fields) -> bool:
    """Whether the object or list that has the field is itself missing there: then that is the difference to tell."""
    above = field
    while "." in above or above.endswith("[]"):
        above = above.removesuffix("[]") if above.endswith("[]") else above.rpartition(".")[0]
        if above in here:
            return above not in there
    return False


def _only(values: tuple[Any, ...], others: tuple[Any, ...]) -> str:
    """Values that the other list lacks."""
    return ", ".join(str(value) for value in values if value not in others)


def _openness(row: FieldRow) -> str:
    return "refused" if row.values and not row.open else "allowed"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def _without_names(operation: str) -> str:
    """The operation without the names of its path's parameters, which mean nothing."""
    return "/".join("{}" if part.startswith("{") else part for part in operation.split("/"))


def read_known(path: Path) -> list[Known]:
    """The differences that are meant.

    Raises:
        InvalidSpec: the file is not a list of `at`, `what` and `reason`.
    """
    entries = read_document(path).get("differences")
    if not isinstance(entries, list):
        raise InvalidSpec(f"{path.name} cannot be used:", ["it has no list `differences`"])
    for number, entry in enumerate(entries):
        texts = isinstance(entry, dict) and all(isinstance(value, str) and value for value in entry.values())
        if not texts or set(entry) - {"theirs"} != {"at", "what", "reason"}:
            remedy = "needs `at`, `what` and `reason`, and may have `theirs`"
            raise InvalidSpec(f"{path.name} cannot be used:", [f"differences/{number}: {remedy}"])
    return [Known(**entry) for entry in entries]


def explained(difference: Difference, known: Sequence[Known]) -> Difference:
    """The difference with the reason for it, if there is one."""
    reasons = [entry.reason for entry in known if entry.covers(difference)]
    return attrs.evolve(difference, reason=reasons[0]) if reasons else difference


def report(found: Sequence[Difference]) -> list[str]:
    """The table: one line for each difference, under its operation."""
    rows = [[d.field or "(operation)", d.what, d.ours, d.theirs] for d in found]
    head = ["", "difference", "ours", "theirs"]
    widths = [min(_WIDEST, max((len(row[column]) for row in [head, *rows]), default=0)) for column in range(3)]
    lines, operation = [_line(head, widths)] if rows else [], ""
    for difference, row in zip(found, rows, strict=True):
        if difference.operation != operation:
            operation = difference.operation
            lines.append(operation)
        lines.append(_line(row, widths) + (f"  ({difference.reason})" if difference.reason else ""))
    return lines


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
    return ("  " + "  ".join([*cells, row[-1]])).rstrip()


def _summary(
    ours: dict[str, Fields],
    theirs: dict[str, Fields],
    found: Sequence[Difference],
    new: Sequence[Difference],
    unused: Sequence[Known],
) -> str:
    counts = [
        f"{len(document)} operations and {sum(map(len, document.values()))} fields" for document in (ours, theirs)
    ]
    lines = [f"ours: {counts[0]}; theirs: {counts[1]}"]
    lines.append(f"{len(new)} differences, and {len(found) - len(new)} with a reason in the list of known ones")
    if new:
        lines.append("To take one over, edit spec/; to keep one, give the reason in spec/differences.yaml.")
    lines += [f"no longer a difference: {entry.at} ({entry.what})" for entry in unused]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
