"""Build handout.zip for students: the template, the public checks with what they need, a README."""

from __future__ import annotations

import json
import re
import stat
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from autograder.engine.homework import Homework
from autograder.engine.local.planned import PLAN, PRISTINE, public_plan, write_plan
from autograder.engine.release.archive import File, write_zip
from autograder.engine.release.leaks import collect_secrets, find_leaks
from autograder.engine.release.manifest import public_files
from autograder.engine.release.template import MarkerError, compare_template
from autograder.engine.sandbox.isolated import INSTALLED, PROJECT, ROOT
from autograder.engine.submission import GRADER
from autograder.engine.submission.imports import read_imports

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ZIP = "handout.zip"
_TOP = "handout"  # the homework's folder of files for the top of the zip
_DEFAULTS = Path(__file__).with_name("handout_files")  # those of a homework without its own
# The template's README makes room for the handout's.
_RENAMED = {"README.md": "CODE.md"}
# The extra of pyproject.toml that the students' pytest needs.
_LOCAL = "local"
# Imported on a student's machine only if a check imports hypothesis itself.
_ONLY_WITH_HYPOTHESIS = "engine/judge/hypothesis_profile.py"
# Distributions whose modules have other names.
_MODULES = {"scikit-learn": "sklearn"}
_SUBMISSION_SCRIPT = "make_submission.py"


class HandoutError(ValueError):
    """The handout cannot be built; no file was written."""


def build_handout(homework: Homework, destination: Path) -> list[str]:
    """Write `handout.zip` into a folder; return the names in it.

    Raises:
        HandoutError: the template is out of date, a folder has no Python files, a marker is wrong,
            or the zip would reveal a secret.
        SecretFileNeeded: a public check needs a file that students must not get.
    """
    folders = (homework.reference, homework.template)
    try:
        differences = compare_template(*folders, homework.code_folder)
        secrets = collect_secrets(*folders, homework.folder / "checks" / "private")
    except (MarkerError, FileNotFoundError) as error:
        raise HandoutError(str(error)) from None
    if differences:
        raise HandoutError("\n".join(["the template is out of date:", *differences]))
    files = handout_files(homework)
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".handout-", dir=destination) as name:
        unchecked = Path(name) / ZIP
        write_zip(unchecked, files)
        if leaks := find_leaks(unchecked, secrets):
            raise HandoutError("\n".join(["it would reveal secrets:", *map(str, leaks)]))
        unchecked.replace(destination / ZIP)
    return sorted(files)


def handout_files(homework: Homework) -> dict[str, File]:
    """Return the files by their paths in the zip.

    Raises:
        SecretFileNeeded: a public check needs a file that students must not get.
        HandoutError: two files have the same path in the zip, or make_submission.py has no line
            for a setting.
    """
    inside = f"{GRADER}/{homework.path_in_project(homework.folder)}"
    files = {
        f"{GRADER}/{name}": read_file(homework.source_of(path))
        for name, path in public_files(homework).items()
    }
    top = {
        path.name: path
        for folder in (_DEFAULTS, homework.folder / _TOP)
        for path in folder.glob("*.*")
    }
    files |= {name: read_file(path) for name, path in top.items()}
    for path in homework.template.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            relative = path.relative_to(homework.template).as_posix()
            name = _RENAMED.get(relative, relative)
            if name in files:
                raise HandoutError(f"{name} is in both the template and {_TOP}/")
            files[name] = read_file(path)
            if relative.rpartition("/")[0] == homework.code_folder and relative.endswith(".py"):
                files[f"{inside}/{PRISTINE}/{relative}"] = files[name]
    if _SUBMISSION_SCRIPT not in files:
        script = read_file(_submission_script())
        script = _with_line(script, "PYTHON_FILES", homework.files)
        files[_SUBMISSION_SCRIPT] = _with_line(script, "FIGURES", {})
    if homework.python is not None:  # the script warns of newer syntax
        script = files[_SUBMISSION_SCRIPT]
        files[_SUBMISSION_SCRIPT] = _with_line(script, "GRADER_PYTHON", homework.python)
    files[f"{inside}/{PLAN}"] = File(write_plan(public_plan(homework)).encode())
    modules = [
        file.data.decode()
        for name, file in files.items()
        if name.endswith(".py") and not name.endswith(_ONLY_WITH_HYPOTHESIS)
    ]
    files["requirements.txt"] = File(requirements(PROJECT / "pyproject.toml", modules).encode())
    return files


def _with_line(script: File, name: str, value: object) -> File:
    """Write a value into make_submission.py: into the line `NAME = ...`.

    Raises:
        HandoutError: the script has no line for it.
    """
    line = re.compile(rf"^{name} = .*$", re.MULTILINE)
    text = script.data.decode()
    if len(line.findall(text)) != 1:
        raise HandoutError(f"{_SUBMISSION_SCRIPT} must contain the line {name} = ... once")
    # Lists and texts are the same in JSON and Python.
    filled = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    return replace(script, data=line.sub(lambda _: filled, text).encode())


def _submission_script() -> Path:
    """Return the project's script; a wheel carries it beside its homework's reference."""
    beside = ROOT.glob(f"autograder/*/{_SUBMISSION_SCRIPT}")
    return next(beside) if INSTALLED else PROJECT / _SUBMISSION_SCRIPT


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
