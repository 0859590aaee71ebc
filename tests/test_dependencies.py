"""The locks: they fit pyproject.toml, and have every package that the code imports, with hashes."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import cast

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from autograder.engine.submission.imports import read_imports

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Each lock, with the extras that it is made for.
LOCKS = {
    "requirements.lock": ("class", "install"),
    "requirements-dev.lock": ("class", "install", "dev"),
}
PLATFORMS = [
    {"python_version": version, "python_full_version": f"{version}.7", "platform_machine": machine}
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14")
    for machine in ("x86_64", "aarch64")
]
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def lines_of(lock: str) -> list[str]:
    """The entries of a lock or constraints file, each on one line."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pins_of(lock: str) -> list[Requirement]:
    """The packages of a lock, and torch and torchvision."""
    entries = (*lines_of(lock), *lines_of("constraints.txt"))
    return [Requirement(_HASH.sub("", entry).split("#")[0].strip()) for entry in entries]


def applies(requirement: Requirement, platform: dict[str, str]) -> bool:
    """Whether a requirement is one of that platform."""
    here = cast(dict[str, str], default_environment())
    linux = {**here, "sys_platform": "linux", **platform, "extra": ""}
    return requirement.marker is None or requirement.marker.evaluate(linux)


def versions_on(lock: str, platform: dict[str, str]) -> dict[str, str]:
    """Name to version of all that is installed on a platform; no package twice."""
    pins = [pin for pin in pins_of(lock) if applies(pin, platform)]
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(names) == len(set(names))
    return {
        name: str(pin.specifier).removeprefix("==") for name, pin in zip(names, pins, strict=True)
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_one_allowed_version_of_each_requirement(lock: str) -> None:
    """On Python 3.10 to 3.14 and both processors."""
    required = [
        Requirement(text)
        for texts in (PROJECT["dependencies"], *(EXTRAS[extra] for extra in LOCKS[lock]))
        for text in texts
    ]
    for platform in PLATFORMS:
        versions = versions_on(lock, platform)
        for one in required:
            if applies(one, platform):
                version = versions[canonicalize_name(one.name)]
                assert one.specifier.contains(version), (one, version, platform)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash_and_no_address(lock: str) -> None:
    """The index is that of the machine that installs."""
    for line in lines_of(lock):
        assert _HASH.search(line), line
        assert re.match(r"[a-z0-9-]+==[\w.]+( ; | +--hash)", line), line
    assert "://" not in (ROOT / lock).read_text(encoding="utf-8")


def test_both_locks_agree() -> None:
    """What is graded with is what the tests run with."""
    assert set(lines_of("requirements.lock")) <= set(lines_of("requirements-dev.lock"))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_complete(lock: str) -> None:
    """It has what its packages require, as far as they are installed here; nothing is added."""
    locked = {canonicalize_name(pin.name) for pin in pins_of(lock)}
    with_cuda = re.compile(r"(nvidia|cuda|triton)\b")
    for name in locked - {"torch"}:
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for one in map(Requirement, required):
            needed = applies(one, {}) and not with_cuda.match(one.name)
            assert not needed or canonicalize_name(one.name) in locked, f"{name} needs {one}"


@pytest.mark.parametrize(
    ("lock", "folders", "optional"),
    [
        # The commands `class --scheduler` and `guide` say which extra they need.
        ("requirements.lock", ("autograder", "student_template"), {"distributed", "pypandoc"}),
        # The latter is the extra `mutants`.
        ("requirements-dev.lock", ("tests", "benchmarks", "docs", "reference"), {"cosmic_ray"}),
    ],
)
def test_a_lock_has_every_package_that_is_imported(
    lock: str, folders: tuple[str, ...], optional: set[str]
) -> None:
    """A package that something else happens to bring is found here when it goes."""
    distributions = metadata.packages_distributions()
    locked = {canonicalize_name(pin.name) for pin in pins_of(lock)}
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            if "hostile" in path.parts:  # they import what they like
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            for package in {
                each.package for each in read_imports(text)
            } & distributions.keys() - optional:
                names = set(map(canonicalize_name, distributions[package]))
                assert names & {*locked, "deep-generative-autograder"}, f"{path}: {package}"
