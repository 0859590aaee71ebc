"""Read `assignment.toml`: the parts, their points, and how to grade."""

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
_PART = re.compile(r"\d+\.\d+")
_CHECK = re.compile(r"\d+\.\d+\.\d+")
_MOST_POINTS = 10_000
# Gradescope's limits: 10 minutes unless it is told otherwise, 40 at most.
_PLATFORM_TIMEOUT_S, _MOST_PLATFORM_TIMEOUT_S = 600.0, 2400.0
# Between our own end and the platform's, which leaves a zero: the container's start, and slack.
_MARGIN_S = 30.0


@dataclass(frozen=True)
class Part:
    """One part of the handout, such as "1.2"; its checks' visibility where it says one."""

    number: str
    title: str
    points: float
    visibility: str | None = None


@dataclass(frozen=True)
class CheckSettings:
    """What the settings say about one check in place of its own decorators.

    Args:
        visibility: one of the ledger's `VISIBILITIES`, or None.
        weight: its share of the part's points; 0 makes it advice without points.
    """

    visibility: str | None = None
    weight: float | None = None


@dataclass(frozen=True)
class Leaderboard:
    """The column that students see of each other: the figure which one check measures.

    Args:
        check: its number.
        name: the column's heading.
        order: "desc" where more is better, else "asc".
    """

    check: str
    name: str
    order: str


@dataclass(frozen=True)
class Assignment:
    """A homework's settings. Times are in seconds, log-likelihoods in nats per example.

    `config` is the file they were read from, None for settings made otherwise. `leaderboard` is
    None unless it is to be shown. `python` is the version that grades, "3.10", where it is known.
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
        """The file that says all this: the homework's own, or one in its place."""
        return self.config or self.folder / SETTINGS

    def source_of(self, path: Path) -> Path:
        """Return where a file of the homework is read; other settings stand in for its own."""
        return self.settings_file if path == self.folder / SETTINGS else path

    @property
    def points(self) -> float:
        """The sum over the parts."""
        return sum(part.points for part in self.parts)

    @property
    def part_titles(self) -> dict[str, str]:
        """Part number to title, in order."""
        return {part.number: part.title for part in self.parts}


def load_assignment(package: str, config: Path | None = None) -> Assignment:
    """Load the assignment of a homework package, such as "autograder.homework".

    Args:
        package: the importable package that holds `checks`, `experiments` and the settings.
        config: another settings file in place of the package's own `assignment.toml`.

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
    told = Table.read(path)
    told.only(tuple(_KEYS), "table")
    tables = {name: told.table(name, optional=name in ("checks", "leaderboard")) for name in _KEYS}
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
        python=_python(grading),
        config=path,
    )


def _python(grading: Table) -> str | None:
    """Read the version that grades, for which the students' scripts look at their files."""
    if "python" not in grading.entries:
        return None
    version = grading.text("python")
    if not re.fullmatch(r"3\.\d{1,2}", version):
        raise grading.error("python", 'the version of Python that grades, such as "3.10"')
    return version


def _parts(told: Table) -> tuple[Part, ...]:
    if not told.entries:
        raise told.error("", "at least one part")
    parts = []
    for number in told.entries:
        if not _PART.fullmatch(number):
            raise told.error(number, 'parts are called by the handout\'s numbers, such as "1.2"')
        part = told.table(number, "{ title = TEXT, points = NUMBER }")
        part.only(("title", "points", "visibility"))
        points = part.number("points", 0, _MOST_POINTS)
        if round(points, 4) != points:
            raise part.error("points", "a number with at most four decimals")
        visibility = part.optional_choice("visibility", VISIBILITIES)
        parts.append(Part(number, part.text("title"), points, visibility))
    return tuple(parts)


def _checks(told: Table) -> Mapping[str, CheckSettings]:
    """Read what is said about single checks; `plan_checks` knows which ones there are."""
    settings = {}
    for number in told.entries:
        if not _CHECK.fullmatch(number):
            raise told.error(number, 'checks are called by their numbers, such as "1.2.3"')
        check = told.table(number, "{ visibility = TEXT, weight = NUMBER }")
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
            f"a number above 0, at most {most:g}: {_MARGIN_S:g} s before the platform's own limit, "
            f"grading.platform_timeout_s = {platform_timeout_s:g}",
        )
    return deadline_s


def _training(told: Table) -> Mapping[str, float]:
    full = told.number("full_log_likelihood")
    half = told.number("half_log_likelihood")
    if half > full:
        raise told.error(
            "half_log_likelihood", f"a number up to training.full_log_likelihood = {full:g}"
        )
    return {"full_log_likelihood": full, "half_log_likelihood": half}


def _leaderboard(told: Table) -> Leaderboard | None:
    """Read the leaderboard, also when it is off: a slip should not wait for the day it is on."""
    if not told.entries:
        return None
    check = told.text("check")
    if not _CHECK.fullmatch(check):
        raise told.error("check", 'the number of a check, such as "1.2.3"')
    board = Leaderboard(check, told.text("name"), told.choice("order", ("asc", "desc")))
    return board if told.truth("show", default=False) else None
