"""Edits outside the marked regions, on which `checks/public/test_edits.py` gives advice."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from autograder.engine.release.template import edits_outside_regions

TEMPLATE = Path(__file__).resolve().parents[2] / "student_template"
GIVEN = (TEMPLATE / "codebase/gan.py").read_text(encoding="utf-8")
SOLVED = GIVEN.replace("raise NotImplementedError", "return 0  #")
FIRST = "import torch\n"


def test_the_template_gives_the_import_that_solutions_use() -> None:
    """The name F, in both files that students write."""
    for file in ("flow_network.py", "gan.py"):
        text = (TEMPLATE / "codebase" / file).read_text(encoding="utf-8")
        assert "\nfrom torch.nn import functional as F\n" in text


def test_what_is_in_the_regions_does_not_count() -> None:
    """A solution where it belongs."""
    assert edits_outside_regions(SOLVED, GIVEN) == ([], [])


@pytest.mark.parametrize(
    "lines",
    [
        "import torch.nn.functional as F",
        "import math, os.path as p  # for pi",
        "from torch import nn, autograd",
        "from torch.autograd import *",
        "from torch import (\n    nn,  # layers\n    autograd,\n)",
        "from torch.nn import(functional)",
        "from torch import nn, \\\n    autograd",
        "    import math",
        "from . import network",
    ],
)
def test_lines_that_only_import_do_not_count(lines: str) -> None:
    """Whichever way they are written."""
    ast.parse(lines.lstrip())
    assert edits_outside_regions(SOLVED.replace(FIRST, f"{FIRST}{lines}\n"), GIVEN) == ([], [])


def test_an_import_that_is_gone_does_not_count() -> None:
    """A solution that does without F may remove it."""
    text = SOLVED.replace("from torch.nn import functional as F\n", "")
    assert text != SOLVED
    assert edits_outside_regions(text, GIVEN) == ([], [])


@pytest.mark.parametrize(
    "line",
    [
        "import os; os.environ.clear()",
        "importlib = 3",
        "from_here = 3",
        'print("import torch")',
        "torch.set_num_threads(2)",
    ],
)
def test_other_lines_count(line: str) -> None:
    """Also when they hold an import, or look like one."""
    text = SOLVED.replace(FIRST, f"{FIRST}{line}\n")
    assert edits_outside_regions(text, GIVEN) == ([line], [])


def test_lines_of_the_template_that_are_gone_count() -> None:
    """In the template's order."""
    text = SOLVED.replace("    batch_size = x_real.shape[0]\n", "").replace(
        "return d_loss", "return 0"
    )
    gone = ["batch_size = x_real.shape[0]", "return d_loss"]
    added, missing = edits_outside_regions(text, GIVEN)
    assert set(added) == {"return 0"}
    assert list(dict.fromkeys(missing)) == gone


@pytest.mark.parametrize(
    "piece", ["from a import (", "import a \\\n", "import " + " " * 1000 + ";"]
)
def test_a_long_text_takes_no_long_time(piece: str) -> None:
    """The text is a student's: it may be anything."""
    started = time.process_time()
    edits_outside_regions(SOLVED + f"{piece}\n" * 2000, GIVEN)
    assert time.process_time() - started < 2
