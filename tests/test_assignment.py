"""assignment.toml: good settings are read, and every wrong entry is named with what is allowed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from autograder.engine.assignment import (
    Assignment,
    AssignmentError,
    Part,
    load_assignment,
    parse_assignment,
)

SETTINGS: dict[str, dict[str, Any]] = {
    "assignment": {"title": "A homework"},
    "parts": {
        "1.1": {"title": "First", "points": 5},
        "2.10": {"title": "Second", "points": 2.5},
    },
    "submission": {"files": ["codebase/a.py", "b.py"]},
    "grading": {
        "seed": 236,
        "visibility": "after_due_date",
        "deadline_s": 240,
        "call_timeout_s": 0.5,
        "training_timeout_s": 100,
    },
    "training": {"full_log_likelihood": -1.25, "half_log_likelihood": -2},
}
MISSING = object()


def as_toml(settings: dict[str, Any]) -> str:
    """Write settings as TOML; a value that is a `Raw` goes in as it stands."""
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
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)  # texts, numbers, booleans and lists are the same in TOML


def parse(tmp_path: Path, settings: dict[str, Any]) -> Assignment:
    """Read settings from a file of that name."""
    path = tmp_path / "assignment.toml"
    path.write_text(as_toml(settings), encoding="utf-8")
    return parse_assignment(path, tmp_path, "some.homework")


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
    assert parse(tmp_path, SETTINGS) == Assignment(
        folder=tmp_path,
        package="some.homework",
        title="A homework",
        parts=(Part("1.1", "First", 5.0), Part("2.10", "Second", 2.5)),
        files=("codebase/a.py", "b.py"),
        seed=236,
        visibility="after_due_date",
        deadline_s=240.0,
        call_timeout_s=0.5,
        training_timeout_s=100.0,
        training={"full_log_likelihood": -1.25, "half_log_likelihood": -2.0},
    )


def test_parts_keep_their_order_and_add_up(tmp_path: Path) -> None:
    """Parts come as they stand in the file, and their points are summed."""
    assignment = parse(tmp_path, SETTINGS)
    assert assignment.part_titles == {"1.1": "First", "2.10": "Second"}
    assert list(assignment.part_titles) == ["1.1", "2.10"]
    assert [part.points for part in assignment.parts] == [5.0, 2.5]
    assert assignment.points == 7.5


@pytest.mark.parametrize(
    ("table", "key", "value", "named", "allowed"),
    [
        ("assignment", "title", 3, "assignment.title = 3", "a text"),
        ("assignment", "title", MISSING, "assignment.title = None", "a text"),
        ("assignment", None, MISSING, "[assignment] = None", "a table"),
        ("assignment", None, "x", "[assignment] = 'x'", "a table"),
        ("assignment", "titel", "x", "assignment.titel = 'x'", "[assignment]: title"),
        ("parts", None, MISSING, "[parts] = None", "a table"),
        ("parts", None, {}, "parts = {}", "at least one part"),
        ("parts", "1.1", 5, 'parts."1.1" = 5', "{ title = TEXT, points = NUMBER }"),
        ("parts", "1.1", {"points": 5}, 'parts."1.1" = {', "{ title = TEXT, points = NUMBER }"),
        (
            "parts",
            "1.1",
            {"title": "A", "points": 5, "visibility": "hidden"},
            'parts."1.1" = {',
            "{ title = TEXT, points = NUMBER }",
        ),
        ("parts", "1.1", {"title": 1, "points": 5}, 'parts."1.1".title = 1', "a text"),
        ("parts", "1.1", {"title": "A", "points": -1}, 'parts."1.1".points = -1', "from 0 to"),
        ("parts", "1.1", {"title": "A", "points": 10_000}, "points = 10000", "from 0 to 10000"),
        ("parts", "1.1", {"title": "A", "points": "5"}, "points = '5'", "a number from 0 to 10000"),
        ("parts", "1.1", {"title": "A", "points": True}, "points = True", "a number from 0"),
        ("parts", "1.1", {"title": "A", "points": Raw("nan")}, "points = nan", "a number from 0"),
        ("parts", "1.1", {"title": "A", "points": Raw("inf")}, "points = inf", "a number from 0"),
        ("submission", "files", MISSING, "submission.files = None", "a list of relative paths"),
        ("submission", "files", [], "submission.files = []", "a list of relative paths"),
        ("submission", "files", "a.py", "submission.files = 'a.py'", "a list of relative paths"),
        ("submission", "files", ["a.py", 1], "submission.files = ['a.py', 1]", "relative paths"),
        ("submission", "files", ["/a.py"], "submission.files = ['/a.py']", "relative paths"),
        ("submission", "files", ["a/../../b.py"], "files = ['a/../../b.py']", "relative paths"),
        ("submission", "files", [""], "submission.files = ['']", "relative paths"),
        ("submission", "file", ["a.py"], "submission.file = ['a.py']", "[submission]: files"),
        ("grading", "seed", MISSING, "grading.seed = None", "a whole number from 0 to 4294967295"),
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
        ("grading", "deadline_s", 0, "grading.deadline_s = 0", "a number above 0"),
        ("grading", "deadline_s", -5.5, "grading.deadline_s = -5.5", "a number above 0"),
        ("grading", "deadline_s", "240", "grading.deadline_s = '240'", "a number"),
        ("grading", "deadline_s", Raw("inf"), "grading.deadline_s = inf", "a number"),
        ("grading", "call_timeout_s", 0, "grading.call_timeout_s = 0", "a number above 0"),
        ("grading", "training_timeout_s", False, "training_timeout_s = False", "a number"),
        ("grading", "dead_line_s", 100, "grading.dead_line_s = 100", "deadline_s, call_timeout_s"),
        ("training", "full_log_likelihood", Raw("nan"), "full_log_likelihood = nan", "a number"),
        ("training", "half_log_likelihood", MISSING, "half_log_likelihood = None", "a number"),
        ("training", "epochs", 3, "training.epochs = 3", "[training]: full_log_likelihood, half"),
        ("points", None, {"1.1": 5}, "points = '...'", "assignment, grading, parts, submission"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_allowed(
    tmp_path: Path, table: str, key: str | None, value: object, named: str, allowed: str
) -> None:
    """The error says file, key, value and what would be right."""
    pattern = rf"^assignment\.toml: .*{re.escape(named)}.*; allowed: .*{re.escape(allowed)}"
    with pytest.raises(AssignmentError, match=pattern):
        parse(tmp_path, changed(table, key, value))


@pytest.mark.parametrize("text", ["[grading", "seed = ", "a = 1\na = 2\n", '"\x00" = 1'])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    """A slip in the file's own syntax gives its place."""
    path = tmp_path / "assignment.toml"
    path.write_text(text)
    with pytest.raises(
        AssignmentError, match=r"assignment\.toml: cannot be read as TOML: .* \(at "
    ):
        parse_assignment(path, tmp_path, "p")


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    """Neither bytes that are no UTF-8 nor a missing file end in a traceback."""
    path = tmp_path / "assignment.toml"
    with pytest.raises(AssignmentError, match=r"assignment\.toml: cannot be read .*No such file"):
        parse_assignment(path, tmp_path, "p")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(AssignmentError, match=r"assignment\.toml: cannot be read .*utf-8"):
        parse_assignment(path, tmp_path, "p")


def test_the_error_names_the_file_that_was_given(tmp_path: Path) -> None:
    """With settings in another file, the error speaks of that one."""
    path = tmp_path / "easier.toml"
    path.write_text(as_toml(changed("grading", "seed", "x")))
    with pytest.raises(AssignmentError, match=r"^easier\.toml: grading\.seed = 'x'"):
        load_assignment("autograder.homework", path)


@pytest.mark.parametrize("package", ["no_such_package", "autograder.no_such", "json.decoder"])
def test_a_package_that_is_no_homework_is_named(package: str) -> None:
    """Neither a package that is not there nor a module that is no package is a homework."""
    with pytest.raises(AssignmentError, match=f"there is no homework package '{package}'"):
        load_assignment(package)


def test_the_real_homework_is_worth_65_points() -> None:
    """The settings that are shipped are good, and give the points of the handout."""
    assignment = load_assignment("autograder.homework")
    points = {part.number: part.points for part in assignment.parts}
    assert points == {"1.1": 5, "1.2": 5, "1.3": 10, "2.2": 15, "4.2": 15, "5.5": 15}
    assert assignment.points == 65
    assert assignment.training["full_log_likelihood"] > assignment.training["half_log_likelihood"]
    assert (assignment.folder / "assignment.toml").is_file()
