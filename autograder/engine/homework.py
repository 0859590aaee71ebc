"""The settings of a homework, read from `assignment.toml`: parts, points and limits."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.engine.grading.ledger import VISIBILITIES
from autograder.engine.grading.settings import AssignmentError, Table

__all__ = ["Assignment", "AssignmentError", "CheckSettings", "Leaderboard", "Part"]

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
        "training_timeout_s",
        "python",
    ),
    "training": ("full_log_likelihood", "half_log_likelihood"),
    "leaderboard": ("show", "check", "name", "order"),
}
_PART, _CHECK = r"\d+\.\d+", r"\d+\.\d+\.\d+"
_MOST_POINTS = 10_000
# Gradescope's time limit: 10 minutes by default, 40 at most.
_PLATFORM_TIMEOUT_S, _MOST_PLATFORM_TIMEOUT_S = 600.0, 2400.0
# Our deadline must come this much earlier: the container also has to start, and at the platform's
# limit a student gets zero.
_MARGIN_S = 30.0


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
class Assignment:
    """A homework's settings. Times are in seconds, log-likelihoods in nats per example.

    `config` is the file they were read from, if any. `leaderboard` is None when it is off. `python`
    is the version used for grading, such as "3.10", if set.
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
    training_timeout_s: float
    training: Mapping[str, float]
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
    def points(self) -> float:
        """The sum of the parts' points."""
        return sum(part.points for part in self.parts)

    @property
    def part_titles(self) -> dict[str, str]:
        """Part number to title, in order."""
        return {part.number: part.title for part in self.parts}


def load_assignment(package: str, config: Path | None = None) -> Assignment:
    """Load the assignment of a homework package, such as "autograder.homework".

    Args:
        package: the importable package with `checks`, `experiments` and the settings.
        config: a settings file to use, not the package's own `assignment.toml`.

    Raises:
        AssignmentError: an entry is missing, unknown or not allowed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise AssignmentError(f"there is no homework package {package!r}")
    folder = Path(next(iter(spec.submodule_search_locations))).resolve()
    return parse_assignment(config or folder / SETTINGS, folder, package)


def parse_assignment(path: Path, folder: Path, package: str) -> Assignment:
    """Parse one settings file; see `load_assignment`."""
    file = Table.read(path)
    file.only(tuple(_KEYS), "table")
    tables = {name: file.table(name, optional=name in ("checks", "leaderboard")) for name in _KEYS}
    for name, keys in _KEYS.items():
        if keys:
            tables[name].only(keys)
    grading = tables["grading"]
    platform_timeout_s = grading.number(
        "platform_timeout_s", 2 * _MARGIN_S, _MOST_PLATFORM_TIMEOUT_S, _PLATFORM_TIMEOUT_S
    )
    return Assignment(
        folder=folder,
        package=package,
        title=tables["assignment"].text("title"),
        parts=_parts(tables["parts"]),
        files=tables["submission"].relative_paths("files"),
        seed=grading.whole("seed", 2**32 - 1),
        visibility=grading.choice("visibility", VISIBILITIES),
        private_visibility=grading.optional_choice("private_visibility", VISIBILITIES),
        hints=grading.truth("hints", default=True),
        deadline_s=_deadline(grading, platform_timeout_s),
        platform_timeout_s=platform_timeout_s,
        call_timeout_s=grading.above_zero("call_timeout_s"),
        check_timeout_s=grading.above_zero("check_timeout_s", Assignment.check_timeout_s),
        training_timeout_s=grading.above_zero("training_timeout_s"),
        training=_training(tables["training"]),
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


def _training(table: Table) -> Mapping[str, float]:
    full = table.number("full_log_likelihood")
    half = table.number("half_log_likelihood")
    if half > full:
        raise table.error(
            "half_log_likelihood", f"a number up to training.full_log_likelihood = {full:g}"
        )
    return {"full_log_likelihood": full, "half_log_likelihood": half}


def _leaderboard(table: Table) -> Leaderboard | None:
    """Read the leaderboard; when it is off, its entries are checked all the same."""
    if not table.entries:
        return None
    check = table.matching("check", _CHECK, 'the number of a check, such as "1.2.3"')
    board = Leaderboard(check, table.text("name"), table.choice("order", ("asc", "desc")))
    return board if table.truth("show", default=False) else None
