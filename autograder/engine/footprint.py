"""Which files a grading needs: found by following imports from where it starts.

What the instructors' tools need beside them (the audit, the template, whole solutions of the
catalogue) is not reached from there. It decides no grade, and it does not travel to the platform.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from autograder.engine.boot import ROOT

# The command line names its commands by a pattern, which nothing can follow.
_STARTS = ("autograder/__main__.py", "autograder/commands/grade.py")
# These lie in a homework without being imported by name: pytest finds the one, the worker is told
# the name of the other.
_FOUND_BY_PLACE = ("checks", "experiments")
_DATA = {".toml", ".ini", ".json", ".npz", ".safetensors"}
_FROM = r"^[ \t]*from[ \t]+((?:{roots})[\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)"
_IMPORT = r"^[ \t]*import[ \t]+((?:{roots})[^\n]*)"
_STARTED = r"""["']((?:{roots})(?:\.\w+)+)["']"""
_COMMENT = re.compile(r"#[^\n]*")


def files_that_grade(folder: Path, package: str) -> dict[str, Path]:
    """Return every file that takes part in a grading, by its path from the project's root.

    Args:
        folder: the homework's.
        package: its name, such as "autograder.homework".

    Returns:
        Modules reached by imports (a module that is started by its name, as judge and zygote are,
        counts: the name stands in the text), all that lies in the homework's `checks` and
        `experiments`, and the data beside them; sorted by path.
    """
    waiting = [ROOT / path for path in _STARTS]
    for place in _FOUND_BY_PLACE:
        waiting += sorted((folder / place).rglob("*.py"))
    reached: dict[str, Path] = {}
    while waiting:
        path = waiting.pop()
        name = _name_of(path, folder, package)
        if name in reached or "__pycache__" in path.parts:
            continue
        reached[name] = path
        waiting += (folder_init for folder_init in _inits_above(path, folder))
        text = path.read_text(encoding="utf-8", errors="replace")
        for module in _modules_named(text, package):
            found = _path_of(module, folder, package)
            waiting += [found] if found is not None else []
    for path in _data_beside(set(reached.values()), folder):
        reached[_name_of(path, folder, package)] = path
    return dict(sorted(reached.items()))


def _modules_named(text: str, package: str) -> Iterator[str]:
    """Yield what a module may import or start: too much does no harm, too little would."""
    roots = "|".join(re.escape(root) for root in ("autograder", package))
    for module, names in re.findall(_FROM.format(roots=roots), text, re.MULTILINE):
        yield module
        for name in _COMMENT.sub("", names).strip("()").split(","):
            yield f"{module}.{name.split(' as ')[0].strip()}"
    for names in re.findall(_IMPORT.format(roots=roots), text, re.MULTILINE):
        for name in _COMMENT.sub("", names).split(","):
            yield name.split(" as ")[0].strip()
    for name in re.findall(_STARTED.format(roots=roots), text):
        yield name
        yield f"{name}.__main__"


def _path_of(module: str, folder: Path, package: str) -> Path | None:
    """Return a module's file, or None when it is none of ours."""
    if module == package or module.startswith(f"{package}."):
        base = folder.joinpath(*module.removeprefix(package).split(".")[1:])
    elif module.startswith("autograder."):
        base = ROOT.joinpath(*module.split("."))
    else:
        return None
    for path in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _name_of(path: Path, folder: Path, package: str) -> str:
    if path.is_relative_to(folder):
        return "/".join((*package.split("."), *path.relative_to(folder).parts))
    return path.relative_to(ROOT).as_posix()


def _inits_above(path: Path, folder: Path) -> Iterator[Path]:
    ours = ROOT if path.is_relative_to(ROOT) else folder.parent
    for above in path.parents:
        if above == ours:
            return
        if (above / "__init__.py").is_file():
            yield above / "__init__.py"


def _data_beside(modules: set[Path], folder: Path) -> Iterator[Path]:
    """Yield the settings, and data in folders that hold a module of the grading."""
    for place in {path.parent for path in modules} | {folder}:
        for path in place.iterdir():
            if path.suffix in _DATA and path.is_file():
                yield path
