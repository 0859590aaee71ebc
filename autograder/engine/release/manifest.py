"""The files that a grading needs, and those that public checks need, found by following imports.

Imports are read as text: a grading has no time to parse every module. A module that is named in
quotes ("autograder.engine.judge", the name that starts a process) counts as imported. Neither walk
reaches the instructors' tools or the catalogue's solutions.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from autograder import API
from autograder.engine.homework import SETTINGS, Homework
from autograder.engine.sandbox.isolated import ROOT
from autograder.engine.submission.imports import read_imports

# Modules that no text names: the command line imports commands by a pattern, and starting a package
# runs its __main__.
_GRADING = (
    "autograder/__main__.py",
    "autograder/commands/grade.py",
    "autograder/engine/judge/__main__.py",
)
# A homework's modules that the engine finds by their names, where there are any.
_SHARED_BY_NAME = ("settings.py", "experiments.py")  # students get these, too
_FOUND_BY_NAME = (*_SHARED_BY_NAME, "mistakes.py", "mistakes/__init__.py")
_SECRET = {"oracles", "mistakes", "catalogue", "private"}  # of a homework
_DATA = {".toml", ".ini", ".json", ".npz", ".safetensors"}
_QUOTED = re.compile(r"[\"'](\w+(?:\.\w+)+)[\"']")


class SecretFileNeeded(ValueError):
    """A public check imports a file that students must not get; the message is the import chain."""


def files_that_grade(homework: Homework) -> dict[str, Path]:
    """Return every file that a grading needs, by its path in the project, sorted.

    These are the modules that a grading imports or starts, all of the homework's `checks` and
    `experiments`, its `mistakes`, and the data files in the same folders.
    """
    folder = homework.folder
    starts = [ROOT / path for path in _GRADING]
    starts += [folder / name for name in _FOUND_BY_NAME]
    for room in ("checks", "experiments"):
        starts += sorted((folder / room).rglob("*.py"))
    files = set(_follow(starts, _packages(folder, homework.package)))
    for parent in {path.parent for path in files} | {folder}:
        files |= {path for path in parent.iterdir() if path.suffix in _DATA and path.is_file()}
    return dict(sorted((homework.path_in_project(path), path) for path in files))


def public_files(homework: Homework) -> dict[str, Path]:
    """Return every file that public checks need, by its path in the project, sorted.

    The homework's `experiments` and the engine's `local` are included: they are found by name.

    Raises:
        SecretFileNeeded: `oracles`, `mistakes` or private checks would be among them.
    """
    engine = Path(__file__).resolve().parents[1]
    folder = homework.folder
    public = folder / "checks" / "public"
    chains = _needed_by_public_checks(folder, homework.package, engine / "local")
    for path, chain in chains.items():
        if _is_secret(path, homework):
            names = " -> ".join(homework.path_in_project(one) for one in (*chain, path))
            raise SecretFileNeeded(f"a public check imports a secret file: {names}")
    # Files that are read, not imported: golden values and settings.
    data = [
        *(path for path in public.iterdir() if path.is_file() and path.suffix not in (".py", "")),
        folder / SETTINGS,
        *engine.glob("judge/*.ini"),
    ]
    return dict(sorted((homework.path_in_project(path), path) for path in {*chains, *data}))


@lru_cache(maxsize=8)  # every grading of a class asks
def _needed_by_public_checks(
    folder: Path, package: str, local: Path
) -> Mapping[Path, tuple[Path, ...]]:
    starts = [
        *(folder / name for name in (*_SHARED_BY_NAME, "checks/conftest.py")),
        *sorted((folder / "checks" / "public").glob("*.py")),
        *sorted((folder / "experiments").glob("*.py")),
        *sorted(local.glob("*.py")),
    ]
    return _follow(starts, _packages(folder, package))


def _is_secret(path: Path, homework: Homework) -> bool:
    above = homework.folder if path.is_relative_to(homework.folder) else ROOT / "autograder"
    secret = _SECRET if above == homework.folder else {"commands"}
    return not secret.isdisjoint(path.relative_to(above).with_suffix("").parts)


def _packages(folder: Path, package: str) -> dict[str, Path]:
    return {"autograder": ROOT / "autograder", package: folder}


def hash_of_public_checks(homework: Homework) -> str:
    """Return a short hash of all that decides a public check's result, line endings aside."""
    digest = hashlib.sha256()
    for name, path in public_files(homework).items():
        if path.suffix == ".toml":  # points and deadlines; of the settings only the seed matters
            continue
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]


def _follow(starts: Iterable[Path], packages: Mapping[str, Path]) -> dict[Path, tuple[Path, ...]]:
    """Return every file reached from `starts`, with the chain of importing files before it."""
    modules = _modules_below(packages)
    reached: dict[Path, tuple[Path, ...]] = {}
    waiting: list[tuple[Path, tuple[Path, ...]]] = [(path, ()) for path in starts]
    while waiting:
        path, chain = waiting.pop()
        if path in reached or "__pycache__" in path.parts or not path.is_file():
            continue
        reached[path] = chain
        for module in _modules_in(path.read_text(encoding="utf-8", errors="replace")):
            waiting += [(file, (*chain, path)) for file in _files_of(module, modules)]
    return reached


@lru_cache(maxsize=512)  # a grading follows imports twice, and a class for every submission
def _modules_in(text: str) -> tuple[str, ...]:
    """Return every module that a text may import or start; too many do no harm."""
    modules: dict[str, None] = {}
    for each in read_imports(text):
        modules[each.module] = None
        names = [f"{each.module}.{name}" for name in each.names]
        if each.module == "autograder":
            names += (f"autograder.engine.{API[name]}" for name in each.names if name in API)
        modules.update(dict.fromkeys(names))
    return (*modules, *_QUOTED.findall(text))


def _modules_below(packages: Mapping[str, Path]) -> dict[str, Path]:
    """Return the file of every module in `packages`; that of a package is its `__init__.py`."""
    modules: dict[str, Path] = {}
    for package, root in packages.items():
        for folder, _, names in os.walk(root):
            parts = (package, *Path(folder).relative_to(root).parts)
            for name in sorted(names):  # __init__.py comes before the modules
                stem, dot, ending = name.partition(".")
                if dot and ending == "py":
                    own = parts if stem == "__init__" else (*parts, stem)
                    modules[".".join(own)] = Path(folder, name)
    return modules


def _files_of(module: str, modules: Mapping[str, Path]) -> Iterator[Path]:
    """Yield the file of a module, and the `__init__.py` of each package above it."""
    if module not in modules:
        return
    yield modules[module]
    package, dot, _ = module.rpartition(".")
    while dot:
        if package in modules and modules[package].name == "__init__.py":
            yield modules[package]
        package, dot, _ = package.rpartition(".")
