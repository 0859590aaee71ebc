"""assignment.toml: valid settings are read; errors name the wrong entry and what is allowed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from autograder.commands.common import HOMEWORK
from autograder.engine.grading.plan import plan_checks
from autograder.engine.grading.settings import Table
from autograder.engine.homework import (
    CheckSettings,
    Homework,
    HomeworkError,
    Leaderboard,
    Part,
    load_homework,
    parse_homework,
)
from tests.this_homework import THIS

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "term.toml"

SETTINGS: dict[str, dict[str, Any]] = {
    "assignment": {"title": "A homework"},
    "parts": {
        "1.1": {"title": "First", "points": 5},
        "2.10": {"title": "Second", "points": 2.5},
    },
    "submission": {"files": ["codebase/a.py", "codebase/b.py"]},
    "grading": {
        "seed": 236,
        "visibility": "after_due_date",
        "deadline_s": 240,
        "call_timeout_s": 0.5,
    },
    "own": {"limit": 3},
}
MISSING = object()


def _own(table: Table) -> dict[str, float]:
    """Read the table that only this homework has."""
    table.only(("limit",))
    return {"limit": table.number("limit", 0, 10)}


SECTIONS = {"own": _own}
BOARD = {"show": False, "check": "1.1.1", "name": "Figure", "order": "desc"}


def as_toml(settings: dict[str, Any]) -> str:
    """Write settings as TOML; a `Raw` value is written unchanged."""
    lines: list[str] = []
    for name, entries in settings.items():
        if not isinstance(entries, dict):
            lines.insert(0, f"{name} = {_value(entries)}")  # before the first table
            continue
        lines.append(f"[{name}]")
        lines += [f'"{key}" = {_value(value)}' for key, value in entries.items()]
    return "\n".join(lines) + "\n"


class Raw(str):
    """A piece of TOML."""


def _value(value: Any) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{k}" = {_value(v)}' for k, v in value.items()) + " }"
    return json.dumps(value)  # texts, numbers, booleans and lists are the same in TOML


def parse(tmp_path: Path, settings: dict[str, Any]) -> Homework:
    """Read settings from a file of that name."""
    path = tmp_path / "assignment.toml"
    path.write_text(as_toml(settings), encoding="utf-8")
    return parse_homework(path, tmp_path, SECTIONS)


def changed(table: str, key: str | None, value: object) -> dict[str, Any]:
    """The good settings with one entry changed, added or taken away."""
    settings: dict[str, Any] = json.loads(json.dumps(SETTINGS))
    place = settings if key is None else settings[table]
    name = table if key is None else key
    if value is MISSING:
        del place[name]
    else:
        place[name] = value
    return settings


def test_good_settings_are_read(tmp_path: Path) -> None:
    """Every entry arrives where it belongs, numbers as floats."""
    assert parse(tmp_path, SETTINGS) == Homework(
        folder=tmp_path,
        package=tmp_path.name,
        title="A homework",
        parts=(Part("1.1", "First", 5.0), Part("2.10", "Second", 2.5)),
        files=("codebase/a.py", "codebase/b.py"),
        seed=236,
        visibility="after_due_date",
        deadline_s=240.0,
        call_timeout_s=0.5,
        sections={"own": {"limit": 3.0}},
        config=tmp_path / "assignment.toml",
    )


def test_settings_that_may_be_left_out_are_read(tmp_path: Path) -> None:
    """Visibility of parts, checks and private checks, weights, hints, limits and leaderboard."""
    settings = changed("leaderboard", None, {**BOARD, "show": True})
    settings["parts"]["1.1"]["visibility"] = "hidden"
    settings["checks"] = {"1.1.1": {"visibility": "visible", "weight": 0}, "1.1.2": {"weight": 2.5}}
    settings["grading"] |= {
        "private_visibility": "after_published",
        "hints": False,
        "platform_timeout_s": 2400,
        "deadline_s": 2370,
        "python": "3.12",
    }
    homework = parse(tmp_path, settings)
    assert homework.parts[0] == Part("1.1", "First", 5.0, "hidden")
    assert homework.checks == {
        "1.1.1": CheckSettings("visible", 0.0),
        "1.1.2": CheckSettings(None, 2.5),
    }
    assert homework.private_visibility == "after_published"
    assert homework.hints is False
    assert homework.python == "3.12"
    assert (homework.deadline_s, homework.platform_timeout_s) == (2370.0, 2400.0)
    assert homework.leaderboard == Leaderboard("1.1.1", "Figure", "desc")


def test_a_leaderboard_that_is_off_is_none_but_is_read(tmp_path: Path) -> None:
    """Off, it does nothing; its entries are held to the rules all the same."""
    assert parse(tmp_path, changed("leaderboard", None, BOARD)).leaderboard is None
    with pytest.raises(HomeworkError, match=r"leaderboard\.order = 'up'"):
        parse(tmp_path, changed("leaderboard", None, {**BOARD, "order": "up"}))


def test_both_settings_files_that_are_shipped_are_good() -> None:
    """The homework's own and the second example are read, and their checks planned."""
    for config in (None, EXAMPLE):
        homework = load_homework(HOMEWORK, config)
        plan = plan_checks(homework)
        assert sum(check.points or 0 for check in plan) == pytest.approx(homework.points)


def test_parts_keep_their_order_and_add_up(tmp_path: Path) -> None:
    """Parts keep the order of the file, and their points are summed."""
    homework = parse(tmp_path, SETTINGS)
    assert homework.part_titles == {"1.1": "First", "2.10": "Second"}
    assert list(homework.part_titles) == ["1.1", "2.10"]
    assert [part.points for part in homework.parts] == [5.0, 2.5]
    assert homework.points == 7.5


@pytest.mark.parametrize(
    ("table", "key", "value", "named", "allowed"),
    [
        ("assignment", "title", 3, "assignment.title = 3", "a text"),
        ("assignment", "title", MISSING, "assignment.title is missing", "a text"),
        ("assignment", "title", " ", "assignment.title = ' '", "a text"),
        ("assignment", None, MISSING, "assignment is missing", "a table"),
        ("assignment", None, "x", "assignment = 'x'", "a table"),
        ("assignment", "titel", "x", "assignment.titel = 'x'", "title (did you mean title?)"),
        ("parts", None, MISSING, "parts is missing", "a table"),
        ("parts", None, {}, "parts = {}", "at least one part"),
        ("parts", "1.1", 5, 'parts."1.1" = 5', "{ title = TEXT, points = NUMBER }"),
        ("parts", "1.1", {"points": 5}, 'parts."1.1".title is missing', "a text"),
        ("parts", "1.1", {"title": "A"}, 'parts."1.1".points is missing', "a number from 0 to"),
        (
            "parts",
            "1.1",
            {"title": "A", "points": 0.00005},
            'parts."1.1".points = 5e-05',
            "at most four decimals",
        ),
        (
            "parts",
            "1.1",
            {"title": "A", "points": 5, "visiblity": "hidden"},
            "parts.\"1.1\".visiblity = 'hidden'",
            "title, points, visibility (did you mean visibility?)",
        ),
        (
            "parts",
            "1.1",
            {"title": "A", "points": 5, "visibility": "after due date"},
            "parts.\"1.1\".visibility = 'after due date'",
            "after_published (did you mean after_due_date?)",
        ),
        ("parts", "one", {"title": "A", "points": 5}, "parts.one = {", 'numbers, such as "1.2"'),
        ("parts", "1.1", {"title": 1, "points": 5}, 'parts."1.1".title = 1', "a text"),
        ("parts", "1.1", {"title": "A", "points": -1}, 'parts."1.1".points = -1', "from 0 to"),
        ("parts", "1.1", {"title": "A", "points": 10_001}, "points = 10001", "from 0 to 10000"),
        ("parts", "1.1", {"title": "A", "points": "5"}, "points = '5'", "a number from 0 to 10000"),
        ("parts", "1.1", {"title": "A", "points": True}, "points = True", "a number from 0"),
        ("parts", "1.1", {"title": "A", "points": Raw("nan")}, "points = nan", "a number from 0"),
        ("parts", "1.1", {"title": "A", "points": Raw("inf")}, "points = inf", "a number from 0"),
        ("checks", None, "x", "checks = 'x'", "a table"),
        ("checks", None, {"1.2": {}}, 'checks."1.2" = {}', 'by their numbers, such as "1.2.3"'),
        ("checks", None, {"1.1.1": 3}, 'checks."1.1.1" = 3', "{ visibility = TEXT, weight"),
        ("checks", None, {"1.1.1": {"weight": -1}}, 'checks."1.1.1".weight = -1', "from 0 to"),
        ("checks", None, {"1.1.1": {"weight": Raw("nan")}}, "weight = nan", "a number from 0"),
        (
            "checks",
            None,
            {"1.1.1": {"points": 1}},
            'checks."1.1.1".points = 1',
            'keys of [checks."1.1.1"] are visibility, weight',
        ),
        ("checks", None, {"1.1.1": {"visibility": "no"}}, "visibility = 'no'", "visible, hidden"),
        ("submission", "files", MISSING, "submission.files is missing", "a list of relative paths"),
        ("submission", "files", ["a.py", "a.py"], "files = ['a.py', 'a.py']", "each of them once"),
        ("submission", "files", [], "submission.files = []", "a list of relative paths"),
        ("submission", "files", "a.py", "submission.files = 'a.py'", "a list of relative paths"),
        ("submission", "files", ["a.py", 1], "submission.files = ['a.py', 1]", "relative paths"),
        ("submission", "files", ["/a.py"], "submission.files = ['/a.py']", "relative paths"),
        ("submission", "files", ["a/../../b.py"], "files = ['a/../../b.py']", "relative paths"),
        ("submission", "files", [""], "submission.files = ['']", "relative paths"),
        ("submission", "file", ["a.py"], "submission.file = ['a.py']", "are files (did you mean"),
        (
            "grading",
            "seed",
            MISSING,
            "grading.seed is missing",
            "a whole number from 0 to 4294967295",
        ),
        ("grading", "seed", 1.5, "grading.seed = 1.5", "a whole number from 0 to 4294967295"),
        ("grading", "seed", -1, "grading.seed = -1", "a whole number from 0 to 4294967295"),
        ("grading", "seed", 2**32, "grading.seed = 4294967296", "a whole number from 0"),
        ("grading", "seed", True, "grading.seed = True", "a whole number from 0 to 4294967295"),
        (
            "grading",
            "visibility",
            "secret",
            "grading.visibility = 'secret'",
            "visible, hidden, after_due_date, after_published",
        ),
        ("grading", "visibility", ["visible"], "visibility = ['visible']", "visible, hidden"),
        ("grading", "private_visibility", "no", "private_visibility = 'no'", "visible, hidden"),
        ("grading", "hints", "yes", "grading.hints = 'yes'", "true or false"),
        ("grading", "hints", 1, "grading.hints = 1", "true or false"),
        (
            "grading",
            "deadline_s",
            571,
            "grading.deadline_s = 571",
            "at most 570: 30 s less than Gradescope's limit, grading.platform_timeout_s = 600",
        ),
        ("grading", "deadline_s", Raw("nan"), "grading.deadline_s = nan", "a number above 0"),
        ("grading", "platform_timeout_s", 2401, "platform_timeout_s = 2401", "from 60 to 2400"),
        ("grading", "platform_timeout_s", "600", "platform_timeout_s = '600'", "from 60 to 2400"),
        ("grading", "deadline_s", 0, "grading.deadline_s = 0", "a number above 0"),
        ("grading", "deadline_s", -5.5, "grading.deadline_s = -5.5", "a number above 0"),
        ("grading", "deadline_s", "240", "grading.deadline_s = '240'", "a number"),
        ("grading", "deadline_s", Raw("inf"), "grading.deadline_s = inf", "a number"),
        ("grading", "python", "3", "grading.python = '3'", "the Python version used for grading"),
        ("grading", "python", 3.1, "grading.python = 3.1", "a text"),
        ("grading", "call_timeout_s", 0, "grading.call_timeout_s = 0", "a number above 0"),
        ("grading", "dead_line_s", 100, "grading.dead_line_s = 100", "(did you mean deadline_s?)"),
        ("submission", "files", ["a/b.py", "c.py"], "files = ['a/b.py', 'c.py']", "in one folder"),
        ("own", None, MISSING, "own is missing", "a table"),
        ("own", "limit", 11, "own.limit = 11", "a number from 0 to 10"),
        ("own", "limits", 1, "own.limits = 1", "limit (did you mean limit?)"),
        ("leaderboard", None, {"show": True}, "leaderboard.check is missing", "a text"),
        ("leaderboard", None, {**BOARD, "show": "yes"}, "leaderboard.show = 'yes'", "true or"),
        ("leaderboard", None, {**BOARD, "check": "1.1"}, "leaderboard.check = '1.1'", "1.2.3"),
        ("leaderboard", None, {**BOARD, "order": "up"}, "leaderboard.order = 'up'", "asc, desc"),
        ("leaderboard", None, {**BOARD, "name": ""}, "leaderboard.name = ''", "a text"),
        ("leaderboard", None, {**BOARD, "nmae": "x"}, "leaderboard.nmae = 'x'", "mean name?"),
        ("points", None, {"1.1": 5}, "points = {'1.1': 5}", "are assignment, parts, checks, sub"),
        ("gradings", None, {}, "gradings = {}", "(did you mean grading?)"),
        ("assignment", "title", ["x" * 200], "title = ['" + "x" * 78 + "...", "a text"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_allowed(
    tmp_path: Path, table: str, key: str | None, value: object, named: str, allowed: str
) -> None:
    """The error says file, key, value and what would be right."""
    pattern = rf"^assignment\.toml: .*{re.escape(named)}.*; allowed: .*{re.escape(allowed)}"
    with pytest.raises(HomeworkError, match=pattern):
        parse(tmp_path, changed(table, key, value))


@pytest.mark.parametrize("text", ["[grading", "seed = ", "a = 1\na = 2\n", '"\x00" = 1'])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    """A slip in the file's own syntax gives its place."""
    path = tmp_path / "assignment.toml"
    path.write_text(text)
    with pytest.raises(HomeworkError, match=r"assignment\.toml: cannot be read as TOML: .* \(at "):
        parse_homework(path, tmp_path, SECTIONS)


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    """Neither bytes that are no UTF-8 nor a missing file end in a traceback."""
    path = tmp_path / "assignment.toml"
    with pytest.raises(HomeworkError, match=r"assignment\.toml: cannot be read .*No such file"):
        parse_homework(path, tmp_path, SECTIONS)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(HomeworkError, match=r"assignment\.toml: cannot be read .*utf-8"):
        parse_homework(path, tmp_path, SECTIONS)


def test_the_error_names_the_file_that_was_given(tmp_path: Path) -> None:
    """With settings in another file, the error speaks of that one."""
    path = tmp_path / "easier.toml"
    settings = (HOMEWORK / "assignment.toml").read_text(encoding="utf-8")
    path.write_text(settings.replace("seed = 236", "seed = 'x'"))
    with pytest.raises(HomeworkError, match=r"^easier\.toml: grading\.seed = 'x'"):
        load_homework(HOMEWORK, path)


def test_a_folder_that_is_no_homework_is_named(tmp_path: Path) -> None:
    """Neither a folder that is not there nor one without settings is a homework."""
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(HomeworkError, match=f"there is no homework in {folder}"):
            load_homework(folder)


def test_the_real_homework_is_worth_65_points() -> None:
    """The settings that are shipped are good, and give the points of the handout."""
    homework = THIS
    points = {part.number: part.points for part in homework.parts}
    assert points == {"1.1": 5, "1.2": 5, "1.3": 10, "2.2": 15, "4.2": 15, "5.5": 15}
    assert homework.points == 65
    assert (
        homework.sections["training"]["full_log_likelihood"]
        > homework.sections["training"]["half_log_likelihood"]
    )
    assert (homework.folder / "assignment.toml").is_file()
