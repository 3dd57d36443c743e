"""Sends every answer to a paid create, with every kind of caller: does what was reported match the ledger?

    PYTHONPATH=tests python -m faults.answers

Rule: each create arrives once (again only if the service itself said that it did nothing), and ends with its id, as an
unknown submission, or as a refusal that the ledger confirms. Exits with 1 if anything disagrees.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from .catalog import answers
from .ways import WAYS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=WAYS, action="append", help="only these kinds of callers (default: all)")
    parser.add_argument("--only", default="", help="only answers whose description contains this")
    options = parser.parse_args()
    logging.getLogger("magic_hour_workflows").setLevel(logging.CRITICAL)  # hundreds of lost submissions are expected
    chosen = [answer for answer in answers() if options.only in str(answer)]
    reports = []
    for way in options.way or WAYS:
        began = time.monotonic()
        report = WAYS[way](chosen)
        reports.append(report)
        took = f"{way}: {report.answers} answers, {time.monotonic() - began:.0f} s"
        print("\n".join([*report.broken, took]), flush=True)
    broken = sum(len(report.broken) for report in reports)
    reported = "; ".join(f"{report.answers} x {report.way}" for report in reports)
    print(f"answers: {len(chosen)} distinct answers: {reported}; disagreements: {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
