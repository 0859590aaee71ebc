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

from autograder.engine.homework import Assignment
from autograder.engine.local.planned import PLAN, PRISTINE, public_plan, write_plan
from autograder.engine.release.leaks import Leak, collect_secrets, find_leaks
from autograder.engine.release.manifest import public_files
from autograder.engine.release.template import compare_template
from autograder.engine.sandbox.isolated import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ZIP = "handout.zip"
# Zip files know no earlier time; the same input shall give the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
# A folder of its own: what students have to do with lies at the top.
GRADER = "grader"
_FRONT = "handout"  # the homework's folder of what lies at the top of the zip
# What the template names as the zip's own front does: under another name it does not hide that.
_RENAMED = {"README.md": "TRAINING.md"}
# The extra of pyproject.toml that running checks at home needs.
_LOCAL = "local"
_IMPORT = re.compile(r"^[ \t]*(?:from|import)[ \t]+(.*)", re.MULTILINE)
_WORD = re.compile(r"\w+")
# Imported at home only where a check imports hypothesis itself.
_ONLY_WITH_HYPOTHESIS = "engine/judge/hypothesis_profile.py"
# Distributions whose modules have other names.
_MODULES = {"scikit-learn": "sklearn", "pyyaml": "yaml"}
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
        SecretFileNeeded: a public check needs what may not be handed out.
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
        SecretFileNeeded: a public check needs what may not be handed out.
        ValueError: two files have the same place in the zip.
    """
    homework = sources.assignment.folder
    inside = f"{GRADER}/{homework.relative_to(ROOT).as_posix()}"
    files = {
        f"{GRADER}/{path.relative_to(ROOT).as_posix()}": _packed(sources.assignment.source_of(path))
        for path in public_files(homework)
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
    texts = [
        file.content.decode()
        for name, file in files.items()
        if name.endswith(".py") and not name.endswith(_ONLY_WITH_HYPOTHESIS)
    ]
    files["requirements.txt"] = Packed(requirements(ROOT / "pyproject.toml", texts).encode())
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


def requirements(pyproject: Path, texts: Iterable[str]) -> str:
    """Return what students install: what their files import of the grader's own requirements.

    Args:
        pyproject: the project's file.
        texts: of all modules that are handed out.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    imported = {
        word for text in texts for line in _IMPORT.findall(text) for word in _WORD.findall(line)
    }
    wanted = [one for one in project["dependencies"] if _module_of(one) in imported]
    return "\n".join([*wanted, *project["optional-dependencies"][_LOCAL]]) + "\n"


def _module_of(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    found = "" if name is None else name[0]
    return _MODULES.get(found, found.replace("-", "_"))


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
