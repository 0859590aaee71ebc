"""What a result depends on, in one line that can be pasted; and why two results may differ."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path, PurePosixPath

from autograder.engine.homework import Assignment
from autograder.engine.release.manifest import hash_of_public_checks

_PACKAGES = ("torch", "numpy", "hypothesis", "pytest")
_PAIR = re.compile(r"([\w.]+)=(\S+)")


@dataclass(frozen=True)
class Fingerprint:
    """What public checks depend on.

    Args:
        checks: hash over the public checks and all that they need.
        seed: the assignment's.
        versions: of Python and of the packages, by name.
        files: a hash of each of the student's files, by its name; "missing" where there is none.
    """

    checks: str
    seed: str
    versions: Mapping[str, str]
    files: Mapping[str, str]

    def __str__(self) -> str:
        pairs = {"checks": self.checks, "seed": self.seed, **self.versions, **self.files}
        return " ".join(f"{name}={value}" for name, value in pairs.items())


def take(assignment: Assignment, submission: Path | None) -> Fingerprint:
    """Take the fingerprint of this machine, these checks and a folder with a student's files."""
    return Fingerprint(
        checks=hash_of_public_checks(assignment.folder),
        seed=str(assignment.seed),
        versions={
            "python": platform.python_version(),
            **{name: version(name) or "missing" for name in _PACKAGES},
        },
        files={
            PurePosixPath(name).name: _hash_of_file(submission / name)
            for name in (assignment.files if submission is not None else ())
        }
        if submission is not None
        else {},
    )


def parse(text: str) -> Fingerprint | None:
    """Find a fingerprint in a text that was pasted; None if there is none."""
    pairs = dict(_PAIR.findall(text.replace('"', " ").replace("'", " ")))
    if "checks" not in pairs:
        return None
    return Fingerprint(
        checks=pairs["checks"],
        seed=pairs.get("seed", ""),
        versions={name: pairs[name] for name in ("python", *_PACKAGES) if name in pairs},
        files={name: value for name, value in pairs.items() if name.endswith(".py")},
    )


def explain(here: Fingerprint, there: Fingerprint) -> list[str]:
    """Say why a public check may come out otherwise there than here, the likeliest reason first."""
    told = [_about_file(name, mine, there.files[name]) for name, mine in _both(here.files, there)]
    reasons = [line for line in told if line]
    if here.checks != there.checks:
        reasons.append(
            f"The checks differ ({here.checks} here, {there.checks} there): your handout is not "
            "the one that is graded with. Download it again and copy your two files into it."
        )
    elif here.seed != there.seed:
        reasons.append(
            f"The seeds differ ({here.seed} here, {there.seed} there): random cases are others. "
            "Download the handout again."
        )
    versions = [
        f"{name} {mine} here, {there.versions[name]} there"
        for name, mine in here.versions.items()
        if there.versions.get(name, mine) != mine
    ]
    if versions:
        reasons.append(
            f"Versions differ: {'; '.join(versions)}. Correct code can fail there for this: it may "
            "use what only the newer version has, or lie close to a tolerance. If Gradescope names "
            "an error in your file, look there first."
        )
    if not reasons:
        reasons.append(
            "The fingerprints are the same, so public checks must come out the same. If they do "
            "not, please show both results to the course staff."
        )
    return reasons


@lru_cache(maxsize=32)
def version(package: str) -> str | None:
    """The installed version of a package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _both(mine: Mapping[str, str], there: Fingerprint) -> Iterable[tuple[str, str]]:
    return ((name, value) for name, value in mine.items() if name in there.files)


def _about_file(name: str, here: str, there: str) -> str:
    if here == there:
        return ""
    if there == "missing":
        return f"{name} was not in what was handed in. Run make_submission.py and hand in its zip."
    if here == "missing":
        return f"{name} is not in this folder."
    return (
        f"{name} differs: what was handed in is not what is in this folder now ({here} here, "
        f"{there} there). Run make_submission.py and hand in again."
    )


def _hash_of_file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    except OSError:
        return "missing"
