"""Fingerprint to paste when local and Gradescope results differ, and the reasons it shows."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path, PurePosixPath

from autograder.engine.homework import Homework
from autograder.engine.release.manifest import hash_of_public_checks

_PACKAGES = ("torch", "numpy", "hypothesis", "pytest")
_PAIR = re.compile(r"([\w.]+)=(\S+)")


@dataclass(frozen=True)
class Fingerprint:
    """All that the results of public checks depend on.

    Args:
        checks: hash of the public checks and the files that they need.
        seed: the assignment's.
        versions: of Python and the packages, by name.
        files: hash of each of the student's files, or "missing", by name.
    """

    checks: str
    seed: str
    versions: Mapping[str, str]
    files: Mapping[str, str]

    def __str__(self) -> str:
        pairs = {"checks": self.checks, "seed": self.seed, **self.versions, **self.files}
        return " ".join(f"{name}={value}" for name, value in pairs.items())


def take(homework: Homework, submission: Path | None, checks: str = "") -> Fingerprint:
    """Return the fingerprint of this machine, its checks and a folder with a student's files.

    `checks` is the hash of the public checks, if it is already computed.
    """
    return Fingerprint(
        checks=checks or hash_of_public_checks(homework),
        seed=str(homework.seed),
        versions={
            "python": platform.python_version(),
            **{name: version(name) or "missing" for name in _PACKAGES},
        },
        files={
            PurePosixPath(name).name: _hash_of_file(submission / name) for name in homework.files
        }
        if submission is not None
        else {},
    )


def parse(text: str) -> Fingerprint | None:
    """Find a fingerprint in pasted text; return None if there is none."""
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
    """Return the reasons why a public check may differ between here and there, likeliest first."""
    reasons = [
        _about_file(name, mine, there.files[name])
        for name, mine in here.files.items()
        if there.files.get(name, mine) != mine
    ]
    if here.checks != there.checks:
        reasons.append(
            f"The checks differ ({here.checks} here, {there.checks} there): Gradescope uses "
            "another version of the handout. Download it again and copy your two files into it."
        )
    elif here.seed != there.seed:
        reasons.append(
            f"The seeds differ ({here.seed} here, {there.seed} there), so the random cases do too. "
            "Download the handout again."
        )
    versions = [
        f"{name} {mine} here, {there.versions[name]} there"
        for name, mine in here.versions.items()
        if there.versions.get(name, mine) != mine
    ]
    if versions:
        reasons.append(
            f"Versions differ: {'; '.join(versions)}. Correct code can fail because of this: it "
            "may use a feature of the newer version, or be close to a tolerance. If Gradescope "
            "shows an error in your file, look there first."
        )
    if not reasons:
        reasons.append(
            "The fingerprints are the same, so public checks must give the same results. If they "
            "do not, please show both results to the course staff."
        )
    return reasons


@lru_cache(maxsize=32)
def version(package: str) -> str | None:
    """Return the installed version of a package without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _about_file(name: str, here: str, there: str) -> str:
    if there == "missing":
        return f"{name} was not in your submission. Run make_submission.py and submit its zip."
    if here == "missing":
        return f"{name} is not in this folder."
    return (
        f"{name} differs: the submitted file is not the one in this folder ({here} here, {there} "
        "there). Run make_submission.py and submit again."
    )


def _hash_of_file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    except OSError:
        return "missing"
