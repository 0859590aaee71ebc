"""A homework, loaded from its folder: parts, points, limits, and where its files are."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.engine.grading.ledger import VISIBILITIES
from autograder.engine.grading.settings import HomeworkError, Table
from autograder.engine.sandbox.isolated import ROOT, importable, package_and_root

__all__ = ["CheckSettings", "Homework", "HomeworkError", "Leaderboard", "Part", "Section"]

SETTINGS = "assignment.toml"  # in the homework's folder
_KEYS = {
    "assignment": ("title",),
    "parts": (),  # its keys are the parts' numbers
    "checks": (),  # its keys are the checks' numbers
    "submission": ("files",),
    "grading": (
        "seed",
        "visibility",
        "private_visibility",
        "hints",
        "deadline_s",
        "platform_timeout_s",
        "call_timeout_s",
        "check_timeout_s",
        "python",
    ),
    "leaderboard": ("show", "check", "name", "order"),
}
_PART, _CHECK = r"\d+\.\d+", r"\d+\.\d+\.\d+"
_MOST_POINTS = 10_000
# Gradescope's time limit: 10 minutes by default, 40 at most.
_PLATFORM_TIMEOUT_S, _MOST_PLATFORM_TIMEOUT_S = 600.0, 2400.0
# Our deadline must come this much earlier: the container also has to start, and at the platform's
# limit a student gets zero.
_MARGIN_S = 30.0

# Reads and checks a table of the settings that only this homework has.
Section = Callable[[Table], Mapping[str, Any]]


@dataclass(frozen=True)
class Part:
    """A part of the assignment, such as "1.2", with the visibility of its checks if set."""

    number: str
    title: str
    points: float
    visibility: str | None = None


@dataclass(frozen=True)
class CheckSettings:
    """Settings of one check; they override its decorators.

    Args:
        visibility: one of the ledger's `VISIBILITIES`, or None.
        weight: its share of the part's points; 0 for advice without points.
    """

    visibility: str | None = None
    weight: float | None = None


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard: one column, with the value that a check measures."""

    check: str
    name: str
    order: str  # "desc" if larger is better, else "asc"


@dataclass(frozen=True)
class Homework:
    """A homework: its folder and its settings. Times are in seconds.

    Args:
        folder: contains the settings, `checks/`, and what else docs/authors.md lists.
        package: the folder's name as a package, with the packages around it.
        files: the files that a student hands in, relative to the submission.
        sections: the tables that only this homework has, by name; see `load_homework`.
        reference: the reference solution's folder.
        template: the student template's folder.
        leaderboard: None when it is off.
        python: the version used for grading, such as "3.10", if set.
        config: the file that the settings were read from.
    """

    folder: Path
    package: str
    title: str
    parts: tuple[Part, ...]
    files: tuple[str, ...]
    seed: int
    visibility: str
    deadline_s: float
    call_timeout_s: float
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reference: Path = Path("reference")
    template: Path = Path("student_template")
    check_timeout_s: float = 25.0
    private_visibility: str | None = None
    hints: bool = True
    platform_timeout_s: float = _PLATFORM_TIMEOUT_S
    checks: Mapping[str, CheckSettings] = field(default_factory=dict)
    leaderboard: Leaderboard | None = None
    python: str | None = None
    config: Path | None = None

    @property
    def settings_file(self) -> Path:
        """The settings file in use: the homework's own, or `config`."""
        return self.config or self.folder / SETTINGS

    def source_of(self, path: Path) -> Path:
        """Return where to read a file of the homework; `config` replaces its settings."""
        return self.settings_file if path == self.folder / SETTINGS else path

    @property
    def code_folder(self) -> str:
        """The folder of the student's files in the submission; "" for none."""
        return self.files[0].rpartition("/")[0]

    def module(self, name: str) -> str | None:
        """Return the full name of one of the homework's modules; None if it has no such module."""
        full = f"{self.package}.{name}"
        try:
            return full if importlib.util.find_spec(full) is not None else None
        except ModuleNotFoundError:  # a folder in the name
            return None

    def value(self, module: str, name: str) -> Any:
        """Return what one of the homework's modules defines; None if it has no such module.

        Raises:
            HomeworkError: the module does not define it.
        """
        full = self.module(module)
        return None if full is None else _value(full, name)

    def path_in_project(self, path: Path) -> str:
        """Return where a file lies in a bundle or handout: a homework is a package there.

        Raises:
            ValueError: it lies neither in the homework's folder nor in the project's.
        """
        path, folder = path.resolve(), self.folder.resolve()
        if path.is_relative_to(folder):
            return "/".join((*self.package.split("."), *path.relative_to(folder).parts))
        if not path.is_relative_to(ROOT):
            raise ValueError(f"{path} must lie in {folder} or in {ROOT}")
        return path.relative_to(ROOT).as_posix()

    @property
    def points(self) -> float:
        """The sum of the parts' points."""
        return sum(part.points for part in self.parts)

    @property
    def part_titles(self) -> dict[str, str]:
        """Part number to title, in order."""
        return {part.number: part.title for part in self.parts}


def load_homework(folder: Path, config: Path | None = None) -> Homework:
    """Load the homework in a folder.

    Its module `settings` is optional. `SECTIONS` in it has a function for each table of
    assignment.toml that only this homework has; it checks the table and returns its values.
    `REFERENCE` and `TEMPLATE` are those folders, if they are not `reference/` and
    `student_template/` in the homework's folder.

    Args:
        folder: with `assignment.toml` and `checks/`; it becomes importable as a package.
        config: a settings file to use, not the folder's own.

    Raises:
        HomeworkError: there is no homework, or an entry is missing, unknown or not allowed.
    """
    folder = folder.resolve()
    if not (folder / SETTINGS).is_file():
        raise HomeworkError(f"there is no homework in {folder}: it has no {SETTINGS}")
    try:
        package = importable(folder)
    except ModuleNotFoundError as error:
        raise HomeworkError(str(error)) from None
    own: Any = None
    if (folder / "settings.py").is_file():
        own = importlib.import_module(f"{package}.settings")
    return replace(
        parse_homework(config or folder / SETTINGS, folder, getattr(own, "SECTIONS", {})),
        reference=getattr(own, "REFERENCE", folder / "reference"),
        template=getattr(own, "TEMPLATE", folder / "student_template"),
    )


def _value(module: str, name: str) -> Any:
    imported = importlib.import_module(module)
    if not hasattr(imported, name):
        raise HomeworkError(f"{imported.__file__} must define {name}")
    return getattr(imported, name)


def parse_homework(path: Path, folder: Path, sections: Mapping[str, Section]) -> Homework:
    """Parse one settings file; see `load_homework`."""
    file = Table.read(path)
    file.only((*_KEYS, *sections), "table")
    optional = ("checks", "leaderboard")
    tables = {name: file.table(name, optional=name in optional) for name in _KEYS}
    for name, keys in _KEYS.items():
        if keys:
            tables[name].only(keys)
    grading = tables["grading"]
    platform_timeout_s = grading.number(
        "platform_timeout_s", 2 * _MARGIN_S, _MOST_PLATFORM_TIMEOUT_S, _PLATFORM_TIMEOUT_S
    )
    return Homework(
        folder=folder,
        package=package_and_root(folder)[0],
        title=tables["assignment"].text("title"),
        parts=_parts(tables["parts"]),
        files=_files(tables["submission"]),
        seed=grading.whole("seed", 2**32 - 1),
        visibility=grading.choice("visibility", VISIBILITIES),
        private_visibility=grading.optional_choice("private_visibility", VISIBILITIES),
        hints=grading.truth("hints", default=True),
        deadline_s=_deadline(grading, platform_timeout_s),
        platform_timeout_s=platform_timeout_s,
        call_timeout_s=grading.above_zero("call_timeout_s"),
        check_timeout_s=grading.above_zero("check_timeout_s", Homework.check_timeout_s),
        sections={name: read(file.table(name)) for name, read in sections.items()},
        checks=_checks(tables["checks"]),
        leaderboard=_leaderboard(tables["leaderboard"]),
        python=grading.matching(
            "python", r"3\.\d{1,2}", 'the Python version used for grading, such as "3.10"'
        )
        if "python" in grading.entries
        else None,
        config=path,
    )


def _parts(table: Table) -> tuple[Part, ...]:
    if not table.entries:
        raise table.error("", "at least one part")
    parts = []
    for number in table.entries:
        if not re.fullmatch(_PART, number):
            raise table.error(number, 'parts are named by their numbers, such as "1.2"')
        part = table.table(number, "{ title = TEXT, points = NUMBER }")
        part.only(("title", "points", "visibility"))
        points = part.number("points", 0, _MOST_POINTS)
        if round(points, 4) != points:
            raise part.error("points", "a number with at most four decimals")
        visibility = part.optional_choice("visibility", VISIBILITIES)
        parts.append(Part(number, part.text("title"), points, visibility))
    return tuple(parts)


def _checks(table: Table) -> Mapping[str, CheckSettings]:
    """Read the settings of single checks; `plan_checks` refuses unknown numbers."""
    settings = {}
    for number in table.entries:
        if not re.fullmatch(_CHECK, number):
            raise table.error(number, 'checks are named by their numbers, such as "1.2.3"')
        check = table.table(number, "{ visibility = TEXT, weight = NUMBER }")
        check.only(("visibility", "weight"))
        settings[number] = CheckSettings(
            check.optional_choice("visibility", VISIBILITIES),
            check.number("weight", 0, _MOST_POINTS) if "weight" in check.entries else None,
        )
    return settings


def _deadline(grading: Table, platform_timeout_s: float) -> float:
    deadline_s = grading.above_zero("deadline_s")
    most = platform_timeout_s - _MARGIN_S
    if deadline_s > most:
        raise grading.error(
            "deadline_s",
            f"a number above 0, at most {most:g}: {_MARGIN_S:g} s less than Gradescope's limit, "
            f"grading.platform_timeout_s = {platform_timeout_s:g}",
        )
    return deadline_s


def _files(table: Table) -> tuple[str, ...]:
    files = table.relative_paths("files")
    if len({name.rpartition("/")[0] for name in files}) > 1:
        raise table.error("files", "files in one folder")
    return files


def _leaderboard(table: Table) -> Leaderboard | None:
    """Read the leaderboard; when it is off, its entries are checked all the same."""
    if not table.entries:
        return None
    check = table.matching("check", _CHECK, 'the number of a check, such as "1.2.3"')
    board = Leaderboard(check, table.text("name"), table.choice("order", ("asc", "desc")))
    return board if table.truth("show", default=False) else None
