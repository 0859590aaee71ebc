"""`audit`: grade the catalogue of wrong and right solutions, and write the matrix."""

from __future__ import annotations

import argparse
import fnmatch
import time
from pathlib import Path

from autograder.commands.common import (
    DONE,
    FOUND_SOMETHING,
    HOMEWORK,
    REFERENCE,
    TEMPLATE,
    complain,
)
from autograder.engine.assignment import load_assignment
from autograder.engine.audit import Row, audit
from autograder.engine.audit_page import AuditReport, in_order, write_report
from autograder.engine.certificate import certify
from autograder.engine.inventory import hash_of_checks, plan_checks
from autograder.homework.mistakes.cases import all_cases


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default: 2)")
    parser.add_argument("--only", metavar="PATTERN", help="cases whose id matches, such as 'maf-*'")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("dist/audit"),
        metavar="FOLDER",
        help="where matrix.json, matrix.svg and index.html go (default: dist/audit)",
    )
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    cases = [
        case
        for case in all_cases(REFERENCE, TEMPLATE)
        if options.only is None or fnmatch.fnmatch(case.id, options.only)
    ]
    if not cases:
        return complain("autograder", f"no case of the catalogue matches {options.only!r}")
    started = time.monotonic()
    done: list[Row] = []
    for row in audit(HOMEWORK, cases, TEMPLATE, options.jobs):
        done.append(row)
        good = "NOT AS IT MUST BE" if row.complaints else "ok"
        named = "+".join(sorted(row.mistakes))
        print(f"[{len(done)}/{len(cases)}] {row.case.id}: {good} ({row.seconds:.1f} s) {named}")
        for complaint in row.complaints:
            print(f"    {complaint}")
    rows = in_order(done, [case.id for case in cases])
    assignment = load_assignment(HOMEWORK)
    plan = plan_checks(assignment)
    certificates = certify(rows, plan)
    problems = tuple(c.complaint for c in certificates if c.complaint)
    report = AuditReport(
        assignment.title, plan, rows, tuple(certificates), problems, hash_of_checks(assignment)
    )
    for path in write_report(report, options.out):
        print(f"{path} written")
    for problem in problems:
        print(f"tolerance: {problem}")
    counts = report.counts
    print(
        f"{counts['wrong']} wrong ({counts['named']} named by their answers, {counts['said']} by a "
        f"check's own sentence), {counts['right']} right; {counts['bad']} not as they must be; "
        f"{time.monotonic() - started:.0f} s."
    )
    return FOUND_SOMETHING if counts["bad"] or problems else DONE
