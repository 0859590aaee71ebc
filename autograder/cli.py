"""The commands of the project, and the only place that prints."""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from autograder.engine import gradescope, handout
from autograder.engine.assignment import AssignmentError, load_assignment
from autograder.engine.boot import ROOT
from autograder.engine.inventory import hash_of_checks, plan_checks
from autograder.engine.supervisor import Report, Request, grade

HOMEWORK = "autograder.homework"
PLATFORM = Path("/autograder")  # where Gradescope puts everything
REFERENCE = ROOT / "reference"
TEMPLATE = ROOT / "student_template"

_DONE, _WRONG_ARGUMENTS, _OUT_OF_STEP = 0, 2, 1


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, without the usage around it."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(_WRONG_ARGUMENTS, f"{self.prog}: {message} (--help tells more)\n")


def main(argv: Sequence[str]) -> int:
    """Run one command; return its exit status: 0 done, 1 found something, 2 wrong arguments."""
    graded = argv[:1] == ["grade"]  # what run_autograder calls
    parser = _OneLineParser(prog="run_autograder" if graded else "autograder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_grade(commands.add_parser("grade", help="grade one submission"))
    template = commands.add_parser(
        "template", help="make student_template/ from reference/, its solutions cut out"
    )
    template.add_argument(
        "--check", action="store_true", help="only say whether it is in step (status 1 if not)"
    )
    template.set_defaults(run=_template)
    _add_audit(
        commands.add_parser("audit", help="grade the catalogue of wrong and right solutions")
    )
    options = parser.parse_args(argv)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (AssignmentError, handout.MarkerError) as error:
        print(f"autograder: {error}", file=sys.stderr)
        return _WRONG_ARGUMENTS


def _add_grade(parser: argparse.ArgumentParser) -> None:
    parser.prog = "run_autograder"
    parser.add_argument(
        "submission",
        nargs="?",
        type=Path,
        metavar="SUBMISSION",
        help="a folder or a zip (default: /autograder/submission if it is there, else reference/)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="where results.json goes (default: where Gradescope wants it if SUBMISSION is "
        "Gradescope's, else results.json here)",
    )
    parser.add_argument(
        "--platform",
        type=Path,
        metavar="FOLDER",
        help="the folder that is laid out as Gradescope's /autograder",
    )
    parser.add_argument("--config", type=Path, help="settings in place of assignment.toml")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write the staff's log there")
    parser.set_defaults(run=_grade)


def _add_audit(parser: argparse.ArgumentParser) -> None:
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
    # Imported here: a grading needs none of it, and must not fail because of it.
    from autograder.engine.audit import Row, audit
    from autograder.engine.audit_page import AuditReport, in_order, write_report
    from autograder.engine.certificate import certify
    from autograder.homework.mistakes.cases import all_cases

    cases = [
        case
        for case in all_cases(REFERENCE, TEMPLATE)
        if options.only is None or fnmatch.fnmatch(case.id, options.only)
    ]
    if not cases:
        return _complain(f"no case of the catalogue matches {options.only!r}")
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
    return _OUT_OF_STEP if counts["bad"] or problems else _DONE


def _grade(options: argparse.Namespace) -> int:
    platform = options.platform or PLATFORM
    on_gradescope = options.submission is None and (platform / "submission").is_dir()
    submission = options.submission or (platform / "submission" if on_gradescope else REFERENCE)
    results = options.results or (
        platform / "results" / "results.json" if on_gradescope else Path("results.json")
    )
    if not submission.exists():
        return _complain(f"there is no submission at {submission}")
    if options.config is not None and not options.config.is_file():
        return _complain(f"there is no settings file at {options.config}")
    if results.is_dir():
        return _complain(f"--results must name a file, {results} is a folder")
    assignment = load_assignment(HOMEWORK, options.config)
    try:
        report = grade(
            Request(
                submission=submission,
                results=results,
                assignment=assignment,
                config=options.config or assignment.folder / "assignment.toml",
                pristine=TEMPLATE,
                staff_log=options.log,
            )
        )
    except OSError as error:
        return _complain(f"the results cannot be written: {error}")
    _print_report(report, assignment.part_titles, results, on_gradescope)
    return _DONE


def _print_report(
    report: Report, part_titles: dict[str, str], results: Path, staff_only: bool
) -> None:
    """Print the table; on Gradescope, whose stdout is the staff's, also the judge's log."""
    if report.refused:
        print(report.refused)
    if report.trouble:
        print(report.trouble)
    entries = list(report.entries.values())
    print(gradescope.summary_table(report.plan, entries, part_titles, show_hidden=True))
    if staff_only or report.trouble:
        print(report.log)
    print(f"\n{results} written after {report.results['execution_time']:.1f} s.")


def _template(options: argparse.Namespace) -> int:
    if options.check:
        differences = handout.compare_template(REFERENCE, TEMPLATE)
        for line in differences:
            print(line)
        print("student_template/ is " + ("out of step" if differences else "in step"))
        return _OUT_OF_STEP if differences else _DONE
    for path in handout.make_template(REFERENCE, TEMPLATE):
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
    return _DONE


def _complain(sentence: str) -> int:
    print(f"run_autograder: {sentence} (--help tells more)", file=sys.stderr)
    return _WRONG_ARGUMENTS
