"""Build the students' zip: the template, the public checks with what they need, how to run them."""

from __future__ import annotations

import re
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.engine.assignment import Assignment
from autograder.engine.boot import ROOT
from autograder.engine.handout import compare_template
from autograder.engine.laptop.planned import PLAN, public_plan, write_plan
from autograder.engine.laptop.session import PRISTINE
from autograder.engine.leaks import Leak, collect_secrets, find_leaks
from autograder.engine.shipped import shipped_files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ZIP = "handout.zip"
# Zip files know no earlier time; the same input shall give the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
# A folder of its own: beside `codebase/` the worker would import that in place of the staged one.
GRADER = "grader"
_FRONT = "handout"  # the homework's folder of what lies at the top of the zip
# What the template names as the zip's own front does: under another name it does not hide that.
_RENAMED = {"README.md": "TRAINING.md"}
_PACKS = "make_submission.py"
_NO_PYTHON = b'GRADER_PYTHON = ""\n'


class LeakError(ValueError):
    """The zip would tell what students may not know; nothing was left behind."""

    def __init__(self, leaks: Iterable[Leak]) -> None:
        self.leaks = tuple(leaks)
        super().__init__("\n".join(["this would be handed out:", *map(str, self.leaks)]))


class OutOfStep(ValueError):
    """The template is not what the reference gives now."""


@dataclass(frozen=True)
class Sources:
    """Where the pieces of a handout come from; the settings travel as the homework's own."""

    assignment: Assignment
    reference: Path
    template: Path


def build_handout(sources: Sources, destination: Path) -> list[str]:
    """Write `handout.zip` into a folder; return the names in it.

    Raises:
        OutOfStep: the template must be made again first.
        NotToBeShipped: a public check needs what may not be handed out.
        LeakError: something in the zip tells a secret.
    """
    differences = compare_template(sources.reference, sources.template)
    if differences:
        raise OutOfStep("\n".join(["make the template again first:", *differences]))
    files = handout_files(sources)
    destination.mkdir(parents=True, exist_ok=True)
    private = sources.assignment.folder / "checks" / "private"
    secrets = collect_secrets(sources.reference, sources.template, private)
    with tempfile.TemporaryDirectory(prefix=".handout-", dir=destination) as name:
        unread = Path(name) / ZIP
        write_zip(unread, files)
        leaks = find_leaks(unread, secrets)
        if leaks:
            raise LeakError(leaks)
        unread.replace(destination / ZIP)
    return sorted(files)


@dataclass(frozen=True)
class Packed:
    """A file as it goes into a zip."""

    content: bytes
    executable: bool = False


def handout_files(sources: Sources) -> dict[str, Packed]:
    """Return what is handed out, by its path in the zip.

    Raises:
        NotToBeShipped: a public check needs what may not be handed out.
        ValueError: two files have the same place in the zip.
    """
    homework = sources.assignment.folder
    inside = f"{GRADER}/{homework.relative_to(ROOT).as_posix()}"
    files = {
        f"{GRADER}/{path.relative_to(ROOT).as_posix()}": _packed(sources.assignment.source_of(path))
        for path in shipped_files(homework)
    }
    for path in sorted((homework / _FRONT).iterdir()):
        if path.is_file():
            files[path.name] = _packed(path)
    for path in sorted(sources.template.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            relative = path.relative_to(sources.template).as_posix()
            place = _RENAMED.get(relative, relative)
            if place in files:
                raise ValueError(f"{place} is there twice: in the template and in {_FRONT}/")
            files[place] = _with_python(relative, _packed(path), sources.assignment.python)
            if relative.startswith("codebase/"):
                files[f"{inside}/{PRISTINE}/{relative}"] = _packed(path)
    plan = write_plan(public_plan(sources.assignment))
    files[f"{inside}/{PLAN}"] = Packed(plan.encode())
    files["requirements.txt"] = Packed(requirements(ROOT / "pyproject.toml").encode())
    return files


def _with_python(name: str, file: Packed, python: str | None) -> Packed:
    """Tell the script that packs a submission which Python grades it.

    Raises:
        ValueError: the script has no place for it.
    """
    if name != _PACKS or python is None:
        return file
    if file.content.count(_NO_PYTHON) != 1:
        raise ValueError(f"{name} must hold the line {_NO_PYTHON.decode().strip()} once")
    told = f'GRADER_PYTHON = "{python}"\n'.encode()
    return replace(file, content=file.content.replace(_NO_PYTHON, told))


def requirements(pyproject: Path) -> str:
    """Return what students install: what the grader itself needs, so that both have the same."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return "\n".join(project["dependencies"]) + "\n"


def write_zip(path: Path, files: Mapping[str, Packed]) -> None:
    """Write a zip whose bytes depend on names, contents and modes alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            mode = 0o755 if files[name].executable else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.create_system = 3  # Unix, so that the mode counts
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name].content)


def _packed(path: Path) -> Packed:
    content = path.read_bytes()
    if _is_text(content):
        content = re.sub(rb"\r\n?", b"\n", content)
    return Packed(content, bool(path.stat().st_mode & stat.S_IXUSR))


def _is_text(content: bytes) -> bool:
    return b"\0" not in content
