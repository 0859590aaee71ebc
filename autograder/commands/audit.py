"""`audit`: grade all incorrect and correct solutions of the catalogue, and write the matrix."""

from __future__ import annotations

import argparse
import fnmatch
import time
from collections.abc import Sequence

from autograder.commands.common import (
    DONE,
    FOUND_SOMETHING,
    UsageError,
    add_homework,
    add_jobs,
    add_out,
    load_homework,
)
from autograder.engine.batch.rendering import counted
from autograder.engine.catalogue.audit import Case, Row, audit, narrowed
from autograder.engine.catalogue.cases import all_cases
from autograder.engine.catalogue.page import AuditReport, write_report
from autograder.engine.catalogue.tolerance_report import tolerance_reports
from autograder.engine.grading.ledger import PlannedCheck, Verdict
from autograder.engine.grading.plan import hash_of_checks, plan_checks
from autograder.engine.homework import Homework


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_jobs(parser)
    add_homework(parser, config=False)
    parser.add_argument(
        "--only", metavar="PATTERN", help="only cases with a matching id, such as 'right-*'"
    )
    parser.add_argument(
        "--check",
        metavar="NUMBER",
        help="try one check, such as 1.1.20, on all solutions that it may grade differently",
    )
    add_out(parser, "dist/audit", "FOLDER", "matrix.json, matrix.svg and index.html")
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    homework = load_homework(options, "reference", "template")
    cases = [
        case
        for case in all_cases(homework)
        if options.only is None or fnmatch.fnmatch(case.id, options.only)
    ]
    if homework.module("catalogue") is None:
        print(f"{homework.folder} has no catalogue.py: only reference and template are graded.")
    if not cases:
        raise UsageError(f"no case of the catalogue matches {options.only!r}")
    plan = plan_checks(homework)
    if options.check is not None:
        return _try_check(options, homework, cases, plan)
    started = time.monotonic()
    rows = _graded(homework, cases, plan, options.jobs)
    tolerances = tolerance_reports(rows, plan)
    problems = tuple(c.complaint for c in tolerances if c.complaint)
    report = AuditReport(
        homework.title, plan, rows, tuple(tolerances), problems, hash_of_checks(homework)
    )
    for path in write_report(report, options.out):
        print(f"{path} written")
    for problem in problems:
        print(f"tolerance: {problem}")
    counts = report.counts
    print(
        f"{counts['wrong']} incorrect ({counts['named']} named by their answers, {counts['said']} "
        f"by a check's own message), {counts['right']} correct; {counts['bad']} failed; "
        f"{time.monotonic() - started:.0f} s."
    )
    return FOUND_SOMETHING if counts["bad"] or problems else DONE


def _graded(
    homework: Homework, cases: Sequence[Case], plan: Sequence[PlannedCheck], jobs: int
) -> tuple[Row, ...]:
    """Grade cases; print a line for each when it is done."""
    done: list[Row] = []
    for row in audit(homework, cases, jobs):
        done.append(row)
        verdict = "FAIL" if row.complaints else "ok"
        lost = row.lost(plan)
        named = f", named {'+'.join(sorted(row.mistakes))}" if row.mistakes else ""
        print(
            f"[{len(done)}/{len(cases)}] {row.case.id}: {verdict} ({row.seconds:.1f} s)"
            f"{', loses points in ' if lost else ''}{', '.join(lost)}{named}"
        )
        for complaint in row.complaints:
            print(f"    {complaint}")
    places = {case.id: place for place, case in enumerate(cases)}
    return tuple(sorted(done, key=lambda row: places[row.case.id]))


def _try_check(
    options: argparse.Namespace,
    homework: Homework,
    cases: Sequence[Case],
    plan: Sequence[PlannedCheck],
) -> int:
    """Grade by one check only; print which solutions fail it."""
    check = next((each for each in plan if each.number == options.check), None)
    if check is None:
        raise UsageError(f"there is no check {options.check}; `checks` lists all")
    cases = narrowed(cases, plan, check)
    if not cases:
        raise UsageError(f"no selected solution can change {check.number}")
    rows = _graded(homework, cases, plan, options.jobs)
    right, wrong = ([r for r in rows if r.case.kind == kind] for kind in ("right", "wrong"))
    failing = [row.case.id for row in wrong if _verdict(row, check) is Verdict.FAILED]
    passed = sum(_verdict(row, check) is Verdict.PASSED for row in right)
    print(f"\n{check.number} {check.title}")
    print(f"passed by {passed} of {counted(len(right), 'correct solution')}")
    print(f"failed by {len(failing)} of {counted(len(wrong), 'incorrect solution')}", end="")
    print(f": {', '.join(failing)}" if failing else "")
    problems = ["no incorrect solution fails it"] if wrong and not failing else []
    for report in tolerance_reports(rows, [check]):
        problems += [report.complaint] if report.complaint else []
        print(
            f"largest error of a correct solution: {report.right:.2g} times the tolerance "
            f"({report.right_id})"
        )
        if report.wrong is not None:
            print(
                f"smallest error of an incorrect solution that fails it: {report.wrong:.3g} times "
                f"the tolerance ({report.wrong_id})"
            )
    for problem in problems:
        print(problem)
    return FOUND_SOMETHING if problems or any(row.complaints for row in rows) else DONE


def _verdict(row: Row, check: PlannedCheck) -> Verdict:
    return row.entries[check.check_id].verdict
