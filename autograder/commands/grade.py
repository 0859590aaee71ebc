"""`grade`: one submission to results.json; what run_autograder calls."""

from __future__ import annotations

import argparse
from pathlib import Path

from autograder.commands.common import (
    DONE,
    REFERENCE,
    TEMPLATE,
    add_config,
    load_homework,
    usage_error,
)
from autograder.engine.grading.supervisor import Report, Request, grade
from autograder.engine.results.summary import summary

_NO_USER = "a separate user for each worker: no"
PLATFORM = Path("/autograder")  # where Gradescope puts everything


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
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
    add_config(parser)
    parser.add_argument("--log", type=Path, metavar="FILE", help="write the staff's log there")
    parser.set_defaults(run=_grade)


def _grade(options: argparse.Namespace) -> int:
    platform = options.platform or PLATFORM
    on_gradescope = options.submission is None and (platform / "submission").is_dir()
    submission = options.submission or (platform / "submission" if on_gradescope else REFERENCE)
    results = options.results or (
        platform / "results" / "results.json" if on_gradescope else Path("results.json")
    )
    if not submission.exists():
        return usage_error("run_autograder", f"there is no submission at {submission}")
    if results.is_dir():
        return usage_error("run_autograder", f"--results must name a file, {results} is a folder")
    assignment = load_homework(options)
    try:
        report = grade(
            Request(
                submission=submission,
                results=results,
                assignment=assignment,
                pristine=TEMPLATE,
                staff_log=options.log,
            )
        )
    except OSError as error:
        return usage_error("run_autograder", f"the results cannot be written: {error}")
    _print_report(report, assignment.part_titles, results, on_gradescope)
    return DONE


def _print_report(
    report: Report, part_titles: dict[str, str], results: Path, staff_only: bool
) -> None:
    """Print the table; on Gradescope, whose stdout is the staff's, also the judge's log."""
    if report.refused:
        print(report.refused)
    if report.trouble:
        print(report.trouble)
    entries = list(report.entries.values())
    print(summary(report.plan, entries, part_titles, show_hidden=True))
    if staff_only or report.trouble:
        print(report.log)
    else:
        # What a missing layer of confinement means for whoever grades here; nothing as root.
        for line in report.log.splitlines():
            if _NO_USER in line:
                print(line)
    print(f"\n{results} written after {report.results['execution_time']:.1f} s.")
