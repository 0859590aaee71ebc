"""The plan lists every check of a homework, with its points, without running a line of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autograder.engine.grading.ledger import PlannedCheck
from autograder.engine.grading.plan import hash_of_checks, part_of, plan_checks
from autograder.engine.homework import CheckSettings, Homework, HomeworkError, Leaderboard, Part


def small_homework(
    folder: Path, files: dict[str, str], parts: dict[str, float], visibility: str = "visible"
) -> Homework:
    """A homework whose checks are these files, under `checks/`."""
    for name, text in files.items():
        path = folder / "checks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Homework(
        folder=folder,
        package="small",
        title="Small",
        parts=tuple(Part(number, f"Part {number}", points) for number, points in parts.items()),
        files=("a.py",),
        seed=0,
        visibility=visibility,
        deadline_s=60.0,
        call_timeout_s=1.0,
    )


def check(number: str, *decorators: str, name: str | None = None, title: str = "It holds.") -> str:
    """The source of one check."""
    lines = [f"@number({number!r})", *(f"@{decorator}" for decorator in decorators)]
    name = name or "test_" + number.replace(".", "_")
    return "\n".join([*lines, f"def {name}(student):", f'    """{title}"""', "    ...", "", ""])


def plan_of(folder: Path, text: str, points: float = 3) -> tuple[PlannedCheck, ...]:
    """The plan of a homework of one part, 1.2, and one file of checks."""
    return plan_checks(small_homework(folder, {"public/test_a.py": text}, {"1.2": points}))


def test_a_check_is_listed_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    """Id, number, title, part, points and visibility come from decorators and docstring."""
    text = check(
        "1.2.3", "weight(3)", 'visibility("hidden")', title="z is right.\n\n    Look at z."
    )
    assert plan_of(tmp_path, text) == (
        PlannedCheck("public/test_a.py::test_1_2_3", "1.2.3", "z is right.", "1.2", 3.0, "hidden"),
    )


def test_checks_come_by_part_and_number_from_both_audiences(tmp_path: Path) -> None:
    """Parts in the order of the settings, numbers as numbers: 1.2.10 comes after 1.2.9."""
    files = {
        "public/test_a.py": check("1.2.10", "weight(1)") + check("2.1.1", "weight(1)"),
        "private/test_a.py": check("1.2.9", "weight(1)") + check("1.2.2"),
        "private/helper.py": check("9.9.9", "weight(1)"),
        "private/deeper/test_b.py": check("9.9.9", "weight(1)"),
    }
    plan = plan_checks(small_homework(tmp_path, files, {"2.1": 1, "1.2": 2}))
    assert [(c.number, c.check_id) for c in plan] == [
        ("2.1.1", "public/test_a.py::test_2_1_1"),
        ("1.2.2", "private/test_a.py::test_1_2_2"),
        ("1.2.9", "private/test_a.py::test_1_2_9"),
        ("1.2.10", "public/test_a.py::test_1_2_10"),
    ]


def test_a_check_is_as_visible_as_the_homework_unless_it_says_so(tmp_path: Path) -> None:
    """The settings' visibility is the default for checks without one."""
    text = check("1.2.1", "weight(1)") + check("1.2.2", 'visibility("visible")')
    homework = small_homework(tmp_path, {"public/test_a.py": text}, {"1.2": 1}, "after_published")
    assert [c.visibility for c in plan_checks(homework)] == ["after_published", "visible"]


def test_a_check_without_weight_is_advice(tmp_path: Path) -> None:
    """Advice carries no points and takes none from the others."""
    plan = plan_of(tmp_path, check("1.2.1") + check("1.2.2", "weight(3)"))
    assert [c.points for c in plan] == [None, 3.0]


def test_no_line_of_a_check_is_run(tmp_path: Path) -> None:
    """The plan needs no import of numpy or the checks, which may fail."""
    text = "import no_such_module\nraise SystemExit\n" + check("1.2.1", "weight(3)")
    assert [c.number for c in plan_of(tmp_path, text)] == ["1.2.1"]


# ---- points -------------------------------------------------------------------------------


def test_weights_are_points_when_they_add_up(tmp_path: Path) -> None:
    """With unchanged settings, the points are the weights written in the checks."""
    text = check("1.2.1", "weight(0.5)") + check("1.2.2", "weight(2.25)") + check("1.2.3")
    text += check("1.2.4", "weight(0.25)")
    assert [c.points for c in plan_of(tmp_path, text)] == [0.5, 2.25, None, 0.25]


@pytest.mark.parametrize(
    ("weights", "points", "shares"),
    [
        ((1, 1, 1), 10, [3.5, 3.25, 3.25]),
        ((1, 1, 1, 1, 1, 1), 5, [0.85, 0.85, 0.85, 0.85, 0.8, 0.8]),
        ((0.5, 1, 1, 1, 1, 0.5), 7, [0.7, 1.4, 1.4, 1.4, 1.4, 0.7]),
        ((2.5, 3, 2.5, 3, 2, 0.5, 0.5), 20, [3.5, 4.25, 3.5, 4.25, 3, 0.75, 0.75]),
        ((1, 2), 0.01, [0.0033, 0.0067]),
        ((1, 1, 1), 0.0005, [0.0002, 0.0002, 0.0001]),
        ((1 / 3, 2 / 3), 1, [0.35, 0.65]),
        ((1, 1), 12.5, [6.25, 6.25]),
    ],
)
def test_weights_are_scaled_to_round_points_when_a_part_is_worth_something_else(
    tmp_path: Path, weights: tuple[float, ...], points: float, shares: list[float]
) -> None:
    """As coarse as a twentieth of each share allows, and equal for equal weights if possible."""
    text = "".join(check(f"1.2.{i}", f"weight({w})") for i, w in enumerate(weights, 1))
    assert [c.points for c in plan_of(tmp_path, text, points)] == shares


def test_a_part_may_be_worth_nothing(tmp_path: Path) -> None:
    """An instructor can switch a part off; its checks still count as graded ones, at 0."""
    text = check("1.2.1", "weight(1)") + check("1.2.2", "weight(2)")
    assert [c.points for c in plan_of(tmp_path, text, points=0)] == [0.0, 0.0]


@given(
    weights=st.lists(st.integers(1, 400).map(lambda n: n / 4), min_size=1, max_size=12),
    points=st.integers(0, 9_999_999).map(lambda n: n / 1000) | st.integers(0, 20).map(float),
)
@example(weights=[99.0, 1.0], points=0.006)
def test_any_points_are_shared_out_whole(
    weights: list[float], points: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever a part is worth, its checks add up to it, each within a twentieth of its share.

    Where no step is that fine, they lie within the finest.
    """
    text = "".join(check(f"1.2.{i}", f"weight({w})") for i, w in enumerate(weights))
    plan = plan_of(tmp_path_factory.mktemp("homework"), text, points)
    shares = [c.points for c in plan if c.points is not None]
    assert math.fsum(shares) == pytest.approx(points, abs=1e-9)
    for share, weight in zip(shares, weights, strict=True):
        assert share >= 0
        exact = points * weight / sum(weights)
        assert share == pytest.approx(exact, rel=0.05 + 1e-9, abs=1e-4 + 1e-9)


# ---- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('def test_a(student):\n    """It holds."""\n', "test_a: a check needs @number"),
        ('@number(1.2)\ndef test_a(s):\n    """It."""\n', "test_a: a check needs @number"),
        (check("one.two.three"), "a check needs @number"),
        (check("1"), "a check needs @number"),
        (check("1.2."), "a check needs @number"),
        ('@number("1.2.1")\n@weight(1)\ndef test_a(s):\n    ...\n', "test_a: .* and a docstring"),
        (check("1.2.1", title=""), "and a docstring"),
        (check("1.2.1", "weight(0)"), r"@weight\(0\) must be a number above 0"),
        (check("1.2.1", "weight(-1)"), r"@weight\(-1\) must be a number above 0"),
        (check("1.2.1", "weight('3')"), r"@weight\('3'\) must be a number above 0"),
        (check("1.2.1", "weight(True)"), r"@weight\(True\) must be a number above 0"),
        (check("1.2.1", "weight(1e999)"), r"@weight\(inf\) must be a number above 0"),
        (check("1.2.1", "weight(POINTS)"), r"@weight\(POINTS\) needs a plain number or text"),
        (check("1.2.1", "weight(1 + 1)"), r"@weight\(1 \+ 1\) needs a plain number or text"),
        (check("1.2.1", 'visibility("secret")'), "'secret'.* must be one of visible, hidden"),
        (check("1.2.1", "visibility(3)"), r"@visibility\(3\) must be one of visible, hidden"),
        ("def test_a(:\n", r"public/test_a\.py: cannot be read as Python: .*line 1"),
        ("x = '\0'\n", r"public/test_a\.py: cannot be read as Python"),
        (
            check("1.2.1", "weight(1)") + check("1.2.1", name="test_b"),
            "is already used by .*::test_1_2_1",
        ),
        (
            check("1.2.1", "weight(1)", name="test_a") + check("1.2.2", name="test_a"),
            "test_a: defined twice",
        ),
        (check("1.2.1"), "part 1.2 has no check that gives points"),
        ("", "part 1.2 has no check that gives points"),
        (check("1.2.1", "weight(3)") + check("1.3.1"), r"checks of unknown parts: 1\.3$"),
        (check("1.2.1", "weight(3)") + check("1.2.1.1"), r"checks of unknown parts: 1\.2\.1$"),
    ],
)
def test_a_check_that_makes_no_sense_is_named(tmp_path: Path, text: str, why: str) -> None:
    """An instructor's slip ends in one sentence that says which check and what is wrong."""
    with pytest.raises(HomeworkError, match=why):
        plan_of(tmp_path, text)


def test_a_number_is_taken_across_files(tmp_path: Path) -> None:
    """Public and private checks share one numbering; both are named."""
    files = {
        "public/test_a.py": check("1.2.1", "weight(1)"),
        "private/test_a.py": check("1.2.1", "weight(1)"),
    }
    pattern = re.escape(
        "private/test_a.py::test_1_2_1: number 1.2.1 is already used by public/test_a.py"
    )
    with pytest.raises(HomeworkError, match=pattern):
        plan_checks(small_homework(tmp_path, files, {"1.2": 2}))


def test_the_part_of_a_number_is_all_but_its_last_piece() -> None:
    """Check 1.2.13 belongs to part 1.2."""
    assert part_of("1.2.13") == "1.2"


# ---- the hash -----------------------------------------------------------------------------


def test_the_hash_changes_with_any_check_and_only_then(tmp_path: Path) -> None:
    """Checks, helpers, settings and their names count; caches do not."""
    text = "from small import oracle, renamed\n" + check("1.2.1", "weight(1)")
    homework = small_homework(tmp_path, {"public/test_a.py": text}, {"1.2": 1})
    first = hash_of_checks(homework)
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert hash_of_checks(homework) == first
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.py").write_text("cached")
    (tmp_path / "notes.txt").write_text("not a check")
    (tmp_path / "right.py").write_text("# a solution that no check imports")
    assert hash_of_checks(homework) == first
    found = {first}
    for name in ("oracle.py", "checks/private/deep.py", "assignment.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
        found.add(hash_of_checks(homework))
    (tmp_path / "oracle.py").rename(tmp_path / "renamed.py")
    found.add(hash_of_checks(homework))
    (tmp_path / "renamed.py").write_text("x = 2\n")
    assert len(found | {hash_of_checks(homework)}) == 6


def test_settings_given_as_another_file_are_hashed_in_place_of_the_homeworks_own(
    tmp_path: Path,
) -> None:
    """--config changes the hash by what the file says, not by where it lies."""
    homework = small_homework(tmp_path / "hw", {"public/test_a.py": check("1.2.1")}, {"1.2": 1})
    (tmp_path / "hw" / "assignment.toml").write_text("a = 1\n")
    own = hash_of_checks(homework)
    (tmp_path / "term.toml").write_text("a = 2\n")
    term = replace(homework, config=tmp_path / "term.toml")
    other = hash_of_checks(term)
    assert other != own
    (tmp_path / "term.toml").write_text("a = 3\n")
    assert hash_of_checks(term) not in (own, other)
    (tmp_path / "hw" / "assignment.toml").write_text("a = 2\n")
    assert hash_of_checks(homework) == other
    (tmp_path / "term.toml").write_text("a = 2\n")
    assert hash_of_checks(term) == other


# ---- what the settings say of checks ------------------------------------------------------


def homework_with(folder: Path, **settings: Any) -> Homework:
    """Part 1.2 with a public check, a hidden public one and a private one; settings changed."""
    text = check("1.2.1", "weight(1)") + check("1.2.2", "weight(1)", 'visibility("hidden")')
    private = check("1.2.3", "weight(2)")
    files = {"public/test_a.py": text, "private/test_b.py": private}
    return replace(small_homework(folder, files, {"1.2": 4}), **settings)


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({}, ["visible", "hidden", "visible"]),
        ({"visibility": "after_published"}, ["after_published", "hidden", "after_published"]),
        ({"private_visibility": "after_due_date"}, ["visible", "hidden", "after_due_date"]),
        (
            {"parts": (Part("1.2", "P", 4, "after_published"),), "private_visibility": "hidden"},
            ["after_published"] * 3,
        ),
        (
            {
                "parts": (Part("1.2", "P", 4, "hidden"),),
                "checks": {"1.2.2": CheckSettings(visibility="visible")},
            },
            ["hidden", "visible", "hidden"],
        ),
    ],
)
def test_the_narrowest_word_on_visibility_counts(
    tmp_path: Path, settings: dict[str, Any], seen: list[str]
) -> None:
    """Check, then part, then the check's own decorator, then private or all."""
    assert [c.visibility for c in plan_checks(homework_with(tmp_path, **settings))] == seen


def test_a_weight_in_the_settings_goes_before_the_decorators(tmp_path: Path) -> None:
    """The part keeps its points; weight 0 makes a check advice."""
    settings = {"1.2.2": CheckSettings(weight=0.0), "1.2.3": CheckSettings(weight=3.0)}
    plan = plan_checks(homework_with(tmp_path, checks=settings))
    assert [check.points for check in plan] == [1.0, None, 3.0]


def test_a_part_whose_checks_were_all_given_no_weight_is_named(tmp_path: Path) -> None:
    """Its points could not be earned by anybody."""
    settings = {f"1.2.{n}": CheckSettings(weight=0.0) for n in (1, 2, 3)}
    with pytest.raises(HomeworkError, match=r"part 1\.2 has no check that gives points"):
        plan_checks(homework_with(tmp_path, checks=settings))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"checks": {"1.2.4": CheckSettings()}}, 'checks."1.2.4"'),
        ({"leaderboard": Leaderboard("1.2.4", "F", "asc")}, "leaderboard.check"),
    ],
)
def test_settings_for_a_check_that_is_not_there_are_named(
    tmp_path: Path, settings: dict[str, Any], key: str
) -> None:
    """The error says file, key and the nearest numbers."""
    pattern = re.escape(f"term.toml: {key}: there is no check 1.2.4; allowed: the number of a")
    with pytest.raises(HomeworkError, match=pattern + r".*, such as 1\.2\.\d"):
        plan_checks(homework_with(tmp_path, config=Path("term.toml"), **settings))


def test_a_leaderboard_cannot_show_what_students_may_not_see(tmp_path: Path) -> None:
    """The figure of a check that is not visible would be on the leaderboard at once."""
    board = Leaderboard("1.2.2", "F", "asc")
    pattern = r"leaderboard\.show = true; allowed: false while check 1\.2\.2 is hidden"
    with pytest.raises(HomeworkError, match=pattern):
        plan_checks(homework_with(tmp_path, leaderboard=board))
    assert plan_checks(homework_with(tmp_path, leaderboard=replace(board, check="1.2.1")))
