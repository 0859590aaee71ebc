"""`class`: grade a whole class, compare with earlier results, write the pages."""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from autograder.commands.common import (
    DONE,
    FOUND_SOMETHING,
    WRONG_ARGUMENTS,
    UsageError,
    add_homework,
    add_jobs,
    load_homework,
)
from autograder.engine.catalogue.cases import load_catalogue
from autograder.engine.grading.plan import plan_checks
from autograder.engine.grading.signals import Interrupted, Signals
from autograder.engine.homework import Homework
from autograder.engine.results.text import one_line

_INSTALL = "this needs {}: .venv/bin/pip install -e '.[{}]'"
try:
    from tqdm import tqdm

    from autograder.engine.batch.export import NotGraded, open_export
    from autograder.engine.batch.metadata import ExportError, moment
    from autograder.engine.batch.page import About, write_views
    from autograder.engine.batch.pool import SLACK_S, Crew, local_crew
    from autograder.engine.batch.privacy import Names, Pseudonyms, key_for
    from autograder.engine.batch.rendering import counted
    from autograder.engine.batch.scheduler import Grading, WorkError, grade_due, make_plan
    from autograder.engine.batch.store import Store, StoreError
    from autograder.engine.batch.summary import Summary
    from autograder.engine.batch.worker_process import Settings, fingerprint
except ModuleNotFoundError as error:
    raise UsageError(_INSTALL.format(error.name, "class")) from error

_BY_A_SIGNAL = 128  # plus its number, as in a shell: 130 after Ctrl-C
_MOST_PRINTED = 10  # entries of the export that are not submissions
_LONGEST = 200  # characters of a name or a reason


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "export",
        nargs="?",
        type=Path,
        metavar="EXPORT",
        help="an export of Gradescope, Moodle or Canvas (zip or folder), or a folder of folders "
        "or zips; without it nothing is graded, and the pages are made from the results in DIR",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for results and pages"
    )
    add_jobs(parser)
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler (or its scheduler file, .json) whose workers grade instead",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="OLD_DIR",
        help="earlier results to compare with; exit status 1 if anything changed",
    )
    parser.add_argument(
        "--anonymous",
        action="store_true",
        help="replace names by pseudonyms; their key is written to DIR.key",
    )
    parser.add_argument(
        "--student-pages",
        nargs="?",
        const="visible",
        choices=("visible", "after_due_date", "after_published"),
        metavar="WHEN",
        help="also write a page for each student, with the visible checks, or also with those "
        "shown after_due_date or after_published",
    )
    parser.add_argument(
        "--due",
        metavar="TIME",
        help="the due date, such as '2026-11-20 23:59 +0100', to show how late submissions are, "
        "if the export has their times",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help="run only checks with a matching number, such as '1.2.*'; may be repeated",
    )
    add_homework(parser)
    parser.set_defaults(run=_class)


def _class(options: argparse.Namespace) -> int:
    if options.scheduler is not None and importlib.util.find_spec("distributed") is None:
        raise UsageError(_INSTALL.format("distributed", "cluster"))
    try:
        return _run(options)
    except (ExportError, StoreError, WorkError) as error:
        print(f"autograder: {error}", file=sys.stderr)
        return WRONG_ARGUMENTS
    except OSError as error:
        raise UsageError(f"the results cannot be saved: {error}") from error


def _run(options: argparse.Namespace) -> int:
    homework = load_homework(options, "template")
    store = Store(options.out)
    older = Store(options.compare) if options.compare is not None else None
    if older is not None and bool(older.settings()["anonymous"]) != options.anonymous:
        raise UsageError("--compare: one of the two has no names (--anonymous)")
    due = moment(options.due) if options.due is not None else None
    if options.due is not None and due is None:
        raise UsageError(
            f"--due {options.due!r} must be a time with its zone: '2026-11-20 23:59 +0100'"
        )
    only = _numbers_matching(homework, options.only)
    if options.only and not only:
        raise UsageError(f"no check matches {' or '.join(options.only)}")
    if options.export is None:
        store.settings()  # an error if there are no results
    else:
        try:
            with Signals(patient=False):
                _grade(options, homework, store, only, due)
        except Interrupted as stopped:
            print("\nStopped. Finished gradings are kept; run the same command to continue.")
            return _BY_A_SIGNAL + stopped.number
    about = _about(homework, options.only if only else None)
    summary = write_views(store, about, older, options.student_pages)
    _print_summary(summary, store, options)
    if older is not None:
        return _print_changes(summary, store)
    return DONE


def _numbers_matching(homework: Homework, patterns: list[str] | None) -> tuple[str, ...]:
    return tuple(
        check.check_id
        for check in plan_checks(homework)
        if any(fnmatch.fnmatch(check.number, pattern) for pattern in patterns or ())
    )


def _about(homework: Homework, patterns: list[str] | None) -> About:
    note = f"Only checks {' and '.join(patterns)} were run." if patterns else ""
    sentences = {wrong.id: wrong.titled for wrong in load_catalogue(homework).wrong}
    points = {part.number: part.points for part in homework.parts}
    return About(homework.title, homework.part_titles, points, sentences, note)


def _grade(
    options: argparse.Namespace,
    homework: Homework,
    store: Store,
    only: tuple[str, ...],
    due: datetime | None,
) -> None:
    settings = Settings.of(homework, only)
    grading = Grading(
        settings,
        fingerprint(homework, only),
        homework.files,
        homework.deadline_s + SLACK_S,
    )
    with open_export(options.export, homework.files, due) as export:
        store.prepare(anonymous=options.anonymous)
        names = Pseudonyms(key_for(store.root, options.compare)) if options.anonymous else Names()
        plan = make_plan(export, store, grading, names)
        total, todo = len(plan), sum(plan)
        kept = f", {total - todo} already graded" if todo < total else ""
        print(f"{counted(total, 'submission')}{kept}; {todo} to grade.", flush=True)
        _print_not_graded(export.not_graded)
        if not todo:
            return
        with _crew(options, homework, grading) as crew, _progress(todo) as advance:
            records = grade_due(plan, export, store, grading, names, crew)
            with contextlib.closing(records):
                for record in records:
                    advance(record.is_grader_error)


def _crew(
    options: argparse.Namespace, homework: Homework, grading: Grading
) -> contextlib.AbstractContextManager[Crew]:
    if options.scheduler is not None:
        from autograder.engine.batch.cluster import cluster_crew

        return cluster_crew(options.scheduler, grading.settings, grading.checks)
    return local_crew(options.jobs, homework.folder)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[bool], None]]:
    """Show the progress, the speed and the time left."""
    errors = 0
    # Without a terminal, one line a minute is enough.
    seconds = 0.2 if sys.stderr.isatty() else 60.0
    with tqdm(total=total, unit="submission", smoothing=0.05, mininterval=seconds) as bar:

        def advance(is_error: bool) -> None:
            nonlocal errors
            errors += is_error
            if is_error:
                bar.set_postfix_str(f"{errors} autograder errors", refresh=False)
            bar.update()

        yield advance


def _print_summary(summary: Summary, store: Store, options: argparse.Namespace) -> None:
    for fault in summary.faults:
        print(f"  {one_line(fault.names, _LONGEST)}: {one_line(fault.what, _LONGEST)}")
    for mistake in summary.most_made[:5]:
        print(f"  {mistake.count} of {summary.all.count}: {' Or: '.join(mistake.sentences)}")
    print(f"{store.root / 'index.html'} and {store.root / 'scores.csv'} written.")
    if options.student_pages is not None:
        print(f"{store.root / 'students'} and {store.root / 'students.zip'} are to hand out.")
    late = f"; {summary.late} handed in late" if summary.late else ""
    states = (f"{count} {state}" for state, count in sorted(summary.states.items()))
    print(f"{', '.join(states)}{late}.")


def _print_changes(summary: Summary, store: Store) -> int:
    print(" ".join(summary.what_changed))
    if not summary.changes:
        return DONE
    print(f"See {store.root / 'changes.csv'} and the page.")
    return FOUND_SOMETHING


def _print_not_graded(entries: Sequence[NotGraded]) -> None:
    """Print the export's entries that are not submissions."""
    for each in entries[:_MOST_PRINTED]:
        print(f"  Not graded: {one_line(each.name, _LONGEST)}: {each.reason}.")
    if len(entries) > _MOST_PRINTED:
        print(f"  Not graded: {len(entries) - _MOST_PRINTED} more; the page lists them.")
