"""Build handout.zip for students: the template, the public checks with what they need, a README."""

from __future__ import annotations

import re
import stat
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.engine.homework import Assignment
from autograder.engine.local.planned import PLAN, PRISTINE, public_plan, write_plan
from autograder.engine.release.archive import File, write_zip
from autograder.engine.release.leaks import collect_secrets, find_leaks
from autograder.engine.release.manifest import public_files
from autograder.engine.release.template import compare_template
from autograder.engine.sandbox.isolated import PROJECT, ROOT
from autograder.engine.submission.imports import read_imports
from autograder.engine.submission.staging import GRADER

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ZIP = "handout.zip"
_TOP = "handout"  # the homework's folder of files for the top of the zip
# The template's README makes room for the handout's.
_RENAMED = {"README.md": "TRAINING.md"}
# The extra of pyproject.toml that the students' pytest needs.
_LOCAL = "local"
# Imported on a student's machine only if a check imports hypothesis itself.
_ONLY_WITH_HYPOTHESIS = "engine/judge/hypothesis_profile.py"
# Distributions whose modules have other names.
_MODULES = {"scikit-learn": "sklearn"}
_SUBMISSION_SCRIPT = "make_submission.py"
_NO_PYTHON = b'GRADER_PYTHON = ""\n'


class HandoutError(ValueError):
    """The handout cannot be built; no file was written."""


@dataclass(frozen=True)
class Sources:
    """The settings and folders that a handout is made from."""

    assignment: Assignment
    reference: Path
    template: Path


def build_handout(sources: Sources, destination: Path) -> list[str]:
    """Write `handout.zip` into a folder; return the names in it.

    Raises:
        HandoutError: the template is out of date, or the zip would reveal a secret.
        SecretFileNeeded: a public check needs a file that students must not get.
    """
    differences = compare_template(sources.reference, sources.template)
    if differences:
        raise HandoutError("\n".join(["the template is out of date:", *differences]))
    files = handout_files(sources)
    destination.mkdir(parents=True, exist_ok=True)
    private = sources.assignment.folder / "checks" / "private"
    secrets = collect_secrets(sources.reference, sources.template, private)
    with tempfile.TemporaryDirectory(prefix=".handout-", dir=destination) as name:
        unchecked = Path(name) / ZIP
        write_zip(unchecked, files)
        if leaks := find_leaks(unchecked, secrets):
            raise HandoutError("\n".join(["it would reveal secrets:", *map(str, leaks)]))
        unchecked.replace(destination / ZIP)
    return sorted(files)


def handout_files(sources: Sources) -> dict[str, File]:
    """Return the files by their paths in the zip.

    Raises:
        SecretFileNeeded: a public check needs a file that students must not get.
        ValueError: two files have the same path in the zip.
    """
    assignment = sources.assignment
    inside = f"{GRADER}/{assignment.folder.relative_to(ROOT).as_posix()}"
    files = {
        f"{GRADER}/{path.relative_to(ROOT).as_posix()}": read_file(assignment.source_of(path))
        for path in public_files(assignment.folder)
    }
    for path in (assignment.folder / _TOP).iterdir():
        if path.is_file():
            files[path.name] = read_file(path)
    for path in sources.template.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            relative = path.relative_to(sources.template).as_posix()
            name = _RENAMED.get(relative, relative)
            if name in files:
                raise ValueError(f"{name} is in both the template and {_TOP}/")
            files[name] = read_file(path)
            if relative.startswith("codebase/"):
                files[f"{inside}/{PRISTINE}/{relative}"] = files[name]
    if assignment.python is not None and _SUBMISSION_SCRIPT in files:
        files[_SUBMISSION_SCRIPT] = _with_version(files[_SUBMISSION_SCRIPT], assignment.python)
    files[f"{inside}/{PLAN}"] = File(write_plan(public_plan(assignment)).encode())
    modules = [
        file.data.decode()
        for name, file in files.items()
        if name.endswith(".py") and not name.endswith(_ONLY_WITH_HYPOTHESIS)
    ]
    files["requirements.txt"] = File(requirements(PROJECT / "pyproject.toml", modules).encode())
    return files


def _with_version(script: File, python: str) -> File:
    """Write the grader's Python version into make_submission.py, which warns of newer syntax.

    Raises:
        ValueError: the script has no line for it.
    """
    if script.data.count(_NO_PYTHON) != 1:
        line = _NO_PYTHON.decode().strip()
        raise ValueError(f"{_SUBMISSION_SCRIPT} must contain the line {line} once")
    line = f'GRADER_PYTHON = "{python}"\n'
    return replace(script, data=script.data.replace(_NO_PYTHON, line.encode()))


def requirements(pyproject: Path, modules: Iterable[str]) -> str:
    """Return requirements.txt: those of the project's dependencies that the handout imports."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    imported = {each.package for text in modules for each in read_imports(text)}
    needed = [one for one in project["dependencies"] if _module_of(one) in imported]
    return "\n".join([*needed, *project["optional-dependencies"][_LOCAL]]) + "\n"


def _module_of(requirement: str) -> str:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return _MODULES.get(name, name.replace("-", "_"))


def read_file(path: Path) -> File:
    """Read a file to pack; text gets Unix line endings."""
    data = path.read_bytes()
    if b"\0" not in data:
        data = re.sub(rb"\r\n?", b"\n", data)
    return File(data, executable=bool(path.stat().st_mode & stat.S_IXUSR))
