"""The student template: how it is made from the reference, and compared with one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from autograder.engine.release.template import (
    MarkerError,
    collapse_regions,
    compare_template,
    make_template,
    make_template_text,
)

MARKED = '''\
"""A module."""

import torch

# BEGIN REFERENCE ONLY
from torch.nn import functional as F

# END REFERENCE ONLY
GIVEN = 1


def double(x):
    """Return twice x."""
    # BEGIN SOLUTION 1.1 double
    doubled_value = F.relu(x) * 2  # a comment
    # another comment
    # END SOLUTION
    return doubled_value
'''

STUBBED = '''\
"""A module."""

import torch

GIVEN = 1


def double(x):
    """Return twice x."""
    # >>> YOUR CODE HERE (1.1 double)
    raise NotImplementedError("1.1 double is not implemented yet")
    # <<< END OF YOUR CODE
    return doubled_value
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small reference with every kind of file that one may contain."""
    reference = tmp_path / "reference"
    for name, text in {
        "codebase/__init__.py": '"""Code."""\n',
        "codebase/flow.py": MARKED,
        "codebase/__pycache__/flow.cpython-311.pyc": "stale",
        "run_flow.py": "print(1)\n",
        "run_flow.pyc": "stale",
        "helper.py": "secret = 1\n",
        "written/answers.md": "secret",
        "written/run_check.py": "secret = 1\n",
        "maf/samples_epoch50.png": "figure",
        "out_nonsaturating/fake_0900.png": "figure",
        "data/train-images-idx3-ubyte": "images",
        "README.md": "How to begin.\n",
    }.items():
        path = reference / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    script = tmp_path / "make_submission.sh"
    script.write_text("#!/usr/bin/env bash\n")
    script.chmod(0o755)
    return reference


def test_solution_becomes_a_stub_and_reference_only_vanishes() -> None:
    """A solution is replaced by a named stub; a reference-only region leaves no trace."""
    assert make_template_text(MARKED, "a.py") == STUBBED


def test_text_without_markers_stays_as_it_is() -> None:
    """A file without regions is handed out unchanged."""
    text = "import torch\n\n\ndef f():\n    return 1\n"
    assert make_template_text(text, "a.py") == text


def test_windows_line_endings_make_the_same_template() -> None:
    """Line endings of the reference do not matter."""
    assert make_template_text(MARKED.replace("\n", "\r\n"), "a.py") == STUBBED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n# BEGIN SOLUTION 1.1 f\ny = 2\n", r"a\.py:2: .*SOLUTION.* is not closed"),
        ("# BEGIN REFERENCE ONLY\ny = 2\n", r"a\.py:1: .*REFERENCE ONLY.* is not closed"),
        (
            "# BEGIN SOLUTION 1.1 f\nx = 1\n# BEGIN SOLUTION 1.2 g\n",
            r"a\.py:3: .*inside the SOLUTION region opened in line 1.*do not nest",
        ),
        (
            "# BEGIN SOLUTION 1.1 f\nx = 1\n# BEGIN REFERENCE ONLY\n",
            r"a\.py:3: .*inside the SOLUTION region opened in line 1",
        ),
        ("x = 1\n# END SOLUTION\n", r"a\.py:2: .*closes nothing"),
        ("# END REFERENCE ONLY\n", r"a\.py:1: .*closes nothing"),
        (
            "# BEGIN SOLUTION 1.1 f\nx = 1\n# END REFERENCE ONLY\n",
            r"a\.py:3: .*cannot close the SOLUTION region.*expected '# END SOLUTION'",
        ),
        ("# BEGIN SOLUTION 1.1 f\n\n# END SOLUTION\n", r"a\.py:3: .*line 1 is empty"),
        (
            "    # BEGIN SOLUTION 1.1 f\n    x = 1\n# END SOLUTION\n",
            r"a\.py:3: .*indented by 0 spaces, its beginning in line 1 by 4",
        ),
        ("# BEGIN SOLUTION\nx = 1\n# END SOLUTION\n", r"a\.py:1: malformed marker"),
        ("# BEGIN SOLUTION f 1.1\nx = 1\n# END SOLUTION\n", r"a\.py:1: malformed marker"),
        ("#BEGIN SOLUTION 1.1 f\nx = 1\n", r"a\.py:1: malformed marker"),
        ("# begin solution 1.1 f\nx = 1\n", r"a\.py:1: malformed marker"),
        ("x = 1  # BEGIN SOLUTION 1.1 f\n", r"a\.py:1: malformed marker"),
        ("# BEGIN SOLUTION 1.1 f\nx = 1\n# END SOLUTIONS\n", r"a\.py:3: malformed marker"),
        ("# BEGIN SOLUTION 1.1 f\nx = 1\n# END_SOLUTION\n", r"a\.py:3: malformed marker"),
        ("# BEGIN REFERENCE_ONLY\nx = 1\n", r"a\.py:1: malformed marker"),
        ("# >>> YOUR CODE HERE (1.1 f)\n", r"a\.py:1: .*is a student marker"),
        ("# <<< END OF YOUR CODE\n", r"a\.py:1: .*is a student marker"),
    ],
)
def test_wrong_markers_are_errors_with_their_place(text: str, message: str) -> None:
    """Every marker that does not fit raises, naming file and line."""
    with pytest.raises(MarkerError, match=message):
        make_template_text(text, "a.py")


def test_template_contains_the_students_files_and_no_others(tree: Path, tmp_path: Path) -> None:
    """Code, drivers, top-level text and the submission script are written; nothing else is."""
    destination = tmp_path / "template"
    written = make_template(tree, destination, "codebase")
    names = [path.relative_to(destination).as_posix() for path in written]
    assert names == [
        "README.md",
        "codebase/__init__.py",
        "codebase/flow.py",
        "make_submission.sh",
        "run_flow.py",
    ]
    assert sorted(path for path in destination.rglob("*") if path.is_file()) == sorted(written)
    assert (destination / "codebase/flow.py").read_text() == STUBBED
    assert (destination / "make_submission.sh").stat().st_mode & 0o777 == 0o755


def test_template_is_the_same_every_time(tree: Path, tmp_path: Path) -> None:
    """Making the template twice gives the same bytes."""
    first, second = (
        make_template(tree, tmp_path / "a", "codebase"),
        make_template(tree, tmp_path / "b", "codebase"),
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_marker_error_writes_nothing(tree: Path, tmp_path: Path) -> None:
    """A template is written whole or not at all."""
    (tree / "run_flow.py").write_text("# END SOLUTION\n")
    with pytest.raises(MarkerError, match=r"run_flow\.py:1"):
        make_template(tree, tmp_path / "template", "codebase")
    assert not (tmp_path / "template").exists()


def test_a_folder_without_code_is_no_reference(tmp_path: Path) -> None:
    """A wrong folder is refused by name."""
    with pytest.raises(FileNotFoundError, match="has no folder codebase/"):
        make_template(tmp_path, tmp_path / "template", "codebase")


def test_compare_finds_no_difference_in_a_fresh_template(tree: Path, tmp_path: Path) -> None:
    """Caches and outputs beside a fresh template are no differences."""
    template = tmp_path / "template"
    make_template(tree, template, "codebase")
    for name in ("codebase/__pycache__/flow.py", "maf/samples_epoch50.png", "submission.zip"):
        (template / name).parent.mkdir(exist_ok=True)
        (template / name).write_text("x")
    assert compare_template(tree, template, "codebase") == []


def test_compare_names_every_difference(tree: Path, tmp_path: Path) -> None:
    """Changed, missing, extra and no longer executable files get one line each."""
    template = tmp_path / "template"
    make_template(tree, template, "codebase")
    (template / "codebase/flow.py").write_text(STUBBED.replace("GIVEN = 1", "GIVEN = 2"))
    (template / "run_flow.py").unlink()
    (template / "codebase/extra.py").write_text("")
    (template / "make_submission.sh").chmod(0o644)
    differences = compare_template(tree, template, "codebase")
    assert [line.split(" ", 1)[0] for line in differences] == [
        "codebase/extra.py:",
        "codebase/flow.py:5:",
        "make_submission.sh:",
        "run_flow.py:",
    ]


def test_compare_sees_a_template_cut_short(tree: Path, tmp_path: Path) -> None:
    """A file that merely ends early differs at its end."""
    template = tmp_path / "template"
    make_template(tree, template, "codebase")
    path = template / "codebase/flow.py"
    path.write_text("".join(STUBBED.splitlines(keepends=True)[:-1]))
    assert compare_template(tree, template, "codebase")[0].startswith("codebase/flow.py:13:")


def test_compare_sees_a_blank_line_too_many(tree: Path, tmp_path: Path) -> None:
    """A file that agrees up to the end of the shorter one differs after it."""
    template = tmp_path / "template"
    make_template(tree, template, "codebase")
    (template / "codebase/flow.py").write_text(STUBBED + "\n")
    assert compare_template(tree, template, "codebase")[0].startswith("codebase/flow.py:15:")


def test_compare_of_a_missing_template_lists_its_files(tree: Path, tmp_path: Path) -> None:
    """A template that was never made is all missing."""
    assert all("missing" in line for line in compare_template(tree, tmp_path / "none", "codebase"))
    assert len(compare_template(tree, tmp_path / "none", "codebase")) == 5


SOLVED = STUBBED.replace(
    '    raise NotImplementedError("1.1 double is not implemented yet")\n',
    "    doubled_value = 2 * x\n",
)


@pytest.mark.parametrize(
    "text",
    [
        SOLVED,
        SOLVED.replace("\n", "\r\n"),
        SOLVED.replace("\n", "\r"),
        SOLVED.replace("GIVEN = 1", "GIVEN = 1  \t"),
        "\ufeff" + SOLVED + "\n\n",
        SOLVED.rstrip("\n"),
        STUBBED.replace(
            "    raise NotImpl", "\n\n    # a )( that no parser likes\n  raise NotImpl"
        ),
    ],
)
def test_changes_inside_the_markers_collapse(text: str) -> None:
    """Work between the markers, line endings and trailing blanks make no difference."""
    assert collapse_regions(text) == collapse_regions(STUBBED)


@pytest.mark.parametrize(
    "text",
    [
        SOLVED.replace("GIVEN = 1", "GIVEN = 2"),
        SOLVED.replace("import torch\n", "import torch\nimport numpy\n"),
        SOLVED.replace("    # <<< END OF YOUR CODE\n", ""),
        SOLVED.replace("    # >>> YOUR CODE HERE (1.1 double)\n", ""),
        SOLVED.replace("(1.1 double)", "(1.2 double)"),
        "",
    ],
)
def test_changes_outside_the_markers_remain(text: str) -> None:
    """A student's changes elsewhere, markers included, stay visible."""
    assert collapse_regions(text) != collapse_regions(STUBBED)


def test_a_region_that_is_not_closed_is_left_as_it_is() -> None:
    """Without its end nobody knows where a region ends, so all of it stays to be compared."""
    unclosed = SOLVED.replace("    # <<< END OF YOUR CODE\n", "")
    assert collapse_regions(unclosed) == unclosed


@pytest.mark.parametrize("line", ["# >>> YOUR CODE HERE (1.1 f)", "# <<< END OF YOUR CODE", "\r"])
def test_collapsing_takes_linear_time(line: str) -> None:
    """Ten times the lines take about ten times as long, not a hundred times."""

    def seconds(count: int) -> float:
        text = f"{line}\n" * count
        times = []
        for _ in range(3):
            start = time.process_time()
            collapse_regions(text)
            times.append(time.process_time() - start)
        return min(times)

    # Linear gives 10, quadratic 100.
    assert seconds(200_000) < 40 * seconds(20_000)
