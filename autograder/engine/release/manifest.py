"""The files that a grading needs, and those that the students' checks need, found by their imports.

Imports are read as text: a grading has no time to parse every module. A module that a text names
in full ("autograder.engine.judge", for a process started by that name) counts as imported. Tools
for instructors (audit, template, whole solutions of the catalogue) are reached from neither start.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from autograder.engine.homework import SETTINGS
from autograder.engine.sandbox.isolated import ROOT

# No text names these: the command line finds its commands by a pattern, and a package that is
# started runs its __main__.
_GRADING = (
    "autograder/__main__.py",
    "autograder/commands/grade.py",
    "autograder/engine/judge/__main__.py",
)
_SECRET = {"oracles", "mistakes", "private", "commands"}
_DATA = {".toml", ".ini", ".json", ".npz", ".safetensors"}
_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n]*)", re.MULTILINE)
_WORD, _DOTTED = re.compile(r"\w+"), re.compile(r"[\w.]+")
_QUOTED = re.compile(r"[\"'](\w+(?:\.\w+)+)[\"']")
_COMMENT = re.compile(r"#[^\n]*")


class SecretFileNeeded(ValueError):
    """A public check imports a file that students must not get; the text shows the chain."""


def files_that_grade(folder: Path, package: str) -> dict[str, Path]:
    """Return every file that takes part in a grading, by its path from the project's root.

    Args:
        folder: the homework's.
        package: its name, such as "autograder.homework".

    Returns:
        The modules that a grading imports or starts, everything in the homework's `checks` and
        `experiments`, and the data files beside them; sorted by path.
    """
    packages = {"autograder": ROOT / "autograder", package: folder}
    starts = [ROOT / path for path in _GRADING]
    for place in ("checks", "experiments"):
        starts += sorted((folder / place).rglob("*.py"))
    found = set(_follow(starts, packages))
    for beside in {path.parent for path in found} | {folder}:
        found |= {path for path in beside.iterdir() if path.suffix in _DATA and path.is_file()}
    return dict(sorted((_name_of(path, folder, package), path) for path in found))


@lru_cache(maxsize=8)
def public_files(homework: Path) -> tuple[Path, ...]:
    """Return every file of the grader that the students' checks need, sorted.

    Args:
        homework: the folder of the homework's package; its `experiments` and the engine's `local`
            are included, since they are found by name.

    Raises:
        SecretFileNeeded: `oracles`, `mistakes` or private checks would be among them.
    """
    engine = Path(__file__).resolve().parents[1]
    public = homework / "checks" / "public"
    chains = _follow(
        [
            homework / "checks" / "conftest.py",
            *sorted(public.glob("*.py")),
            *sorted((homework / "experiments").glob("*.py")),
            *sorted((engine / "local").glob("*.py")),
        ],
        {"autograder": ROOT / "autograder"},
    )
    for path, chain in chains.items():
        if _SECRET & set(path.relative_to(ROOT).parts):
            names = " -> ".join(one.relative_to(ROOT).as_posix() for one in (*chain, path))
            raise SecretFileNeeded(f"a public check needs a secret file: {names}")
    # Files that are read, not imported: golden values and settings.
    data = [
        *(path for path in public.iterdir() if path.is_file() and path.suffix not in (".py", "")),
        homework / SETTINGS,
        *engine.glob("judge/*.ini"),
    ]
    return tuple(sorted({*chains, *data}))


def hash_of_public_checks(homework: Path) -> str:
    """Return a short hash of everything that decides a public check; line endings do not count."""
    digest = hashlib.sha256()
    for path in public_files(homework):
        if path.suffix == ".toml":  # points and deadlines; of the settings only the seed matters
            continue
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]


def _follow(starts: Iterable[Path], packages: Mapping[str, Path]) -> dict[Path, tuple[Path, ...]]:
    """Return every file reached from `starts`, with the chain of importing files before it.

    Args:
        starts: files to begin with.
        packages: folders of the packages whose modules are followed, by their dotted names.
    """
    reached: dict[Path, tuple[Path, ...]] = {}
    waiting: list[tuple[Path, tuple[Path, ...]]] = [(path, ()) for path in starts]
    while waiting:
        path, chain = waiting.pop()
        if path in reached or "__pycache__" in path.parts:
            continue
        reached[path] = chain
        for module in _modules_named_in(path.read_text(encoding="utf-8", errors="replace")):
            waiting += [(file, (*chain, path)) for file in _files_of(module, packages)]
    return reached


def _modules_named_in(text: str) -> Iterator[str]:
    """Yield every module that a text may import or start; naming too many does no harm."""
    for package, names in _FROM.findall(text):
        yield package
        yield from (f"{package}.{name}" for name in _WORD.findall(_COMMENT.sub("", names)))
    for names in _IMPORT.findall(text):
        yield from _DOTTED.findall(_COMMENT.sub("", names))
    yield from _QUOTED.findall(text)


def _files_of(module: str, packages: Mapping[str, Path]) -> Iterator[Path]:
    """Yield the file of a module in `packages`, and the `__init__.py` of each package above it."""
    for package, folder in packages.items():
        if module != package and not module.startswith(f"{package}."):
            continue
        parts = module.removeprefix(package).split(".")[1:]
        base = folder.joinpath(*parts)
        file = base.with_name(f"{base.name}.py")
        if not file.is_file():
            file = base / "__init__.py"
        if file.is_file():
            yield file
            for depth in range(len(parts)):
                above = folder.joinpath(*parts[:depth], "__init__.py")
                if above.is_file():
                    yield above


def _name_of(path: Path, folder: Path, package: str) -> str:
    if path.is_relative_to(folder):
        return "/".join((*package.split("."), *path.relative_to(folder).parts))
    return path.relative_to(ROOT).as_posix()
