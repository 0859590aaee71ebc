"""This project's homework, loaded once for tests, benchmarks and pictures."""

from __future__ import annotations

from autograder.commands.common import HOMEWORK
from autograder.engine.catalogue.cases import solution_files
from autograder.engine.homework import load_homework

THIS = load_homework(HOMEWORK)
REFERENCE, TEMPLATE = THIS.reference, THIS.template


def reference_files() -> dict[str, str]:
    """Return the text of the reference's files that students write, by path."""
    return solution_files(THIS, REFERENCE)
