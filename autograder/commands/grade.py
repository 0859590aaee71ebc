"""`grade`: grade one submission into results.json; run_autograder calls this."""

from __future__ import annotations

import argparse
from pathlib import Path

from autograder.commands.common import (
    DONE,
    UsageError,
    add_homework,
    load_homework,
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
        help="a folder or a zip (default: /autograder/submission if it exists, else reference/)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="where to write the results (default: Gradescope's results folder for Gradescope's "
        "submission, else results.json here)",
    )
    parser.add_argument(
        "--platform",
        type=Path,
        metavar="FOLDER",
        help="a folder with the layout of Gradescope's /autograder",
    )
    add_homework(parser)
    parser.add_argument("--log", type=Path, metavar="FILE", help="also write the staff's log")
    parser.set_defaults(run=_grade)


def _grade(options: argparse.Namespace) -> int:
    platform = options.platform or PLATFORM
    on_gradescope = options.submission is None and (platform / "submission").is_dir()
    homework = load_homework(options, "template")
    submission = options.submission or (
        platform / "submission" if on_gradescope else homework.reference
    )
    results = options.results or (
        platform / "results" / "results.json" if on_gradescope else Path("results.json")
    )
    if not submission.exists():
        raise UsageError(f"there is no submission at {submission}")
    if results.is_dir():
        raise UsageError(f"--results must name a file, {results} is a folder")
    try:
        report = grade(
            Request(
                submission=submission,
                results=results,
                homework=homework,
                staff_log=options.log,
            )
        )
    except OSError as error:
        raise UsageError(f"the results cannot be written: {error}") from error
    _print_report(report, homework.part_titles, results, on_gradescope)
    return DONE


def _print_report(
    report: Report, part_titles: dict[str, str], results: Path, staff_only: bool
) -> None:
    """Print the summary; on Gradescope, where only staff see stdout, also the judge's log."""
    for line in filter(None, (report.refused, report.trouble)):
        print(line)
    entries = list(report.entries.values())
    print(summary(report.plan, entries, part_titles, show_hidden=True))
    if staff_only or report.trouble:
        print(report.log)
    else:
        # Warn about a missing sandbox layer; as root there is none.
        for line in report.log.splitlines():
            if _NO_USER in line:
                print(line)
    print(f"\n{results} written after {report.results['execution_time']:.1f} s.")
