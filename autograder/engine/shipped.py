"""Which files the public checks need: found by following their imports, never listed by hand.

A module that a text names in full ("package.engine.worker.zygote", for a process that is started
with it) counts as imported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from autograder.engine.assignment import SETTINGS
from autograder.engine.boot import ROOT

_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n]*)", re.MULTILINE)
_WORD, _DOTTED = re.compile(r"\w+"), re.compile(r"[\w.]+")
_QUOTED = re.compile(r"[\"'](\w+(?:\.\w+)+)[\"']")


class NotToBeShipped(ValueError):
    """A public check needs what may not be handed out; the text shows the way to it."""


@lru_cache(maxsize=8)
def shipped_files(homework: Path) -> tuple[Path, ...]:
    """Return every file of the grader that a laptop needs, sorted.

    Args:
        homework: the folder of the homework's package; its `experiments` and the engine's
            `laptop` are needed too, for they are found by name.

    Raises:
        NotToBeShipped: `oracles`, `mistakes` or private checks would be among them.
    """
    engine = Path(__file__).resolve().parent
    checks = homework / "checks"
    starts = [
        checks / "conftest.py",
        *sorted((checks / "public").glob("*.py")),
        *sorted((homework / "experiments").glob("*.py")),
        *sorted((engine / "laptop").glob("*.py")),
    ]
    ways = _follow(starts)
    for path, way in ways.items():
        parts = path.relative_to(ROOT).parts
        if {"oracles", "mistakes", "private", "commands"} & set(parts) or path.stem == "catalogue":
            names = " -> ".join(one.relative_to(ROOT).as_posix() for one in (*way, path))
            raise NotToBeShipped(f"a public check needs what may not be handed out: {names}")
    # What is read, not imported: values that checks compare with, settings.
    data = [
        *(p for p in (checks / "public").iterdir() if p.is_file() and p.suffix not in (".py", "")),
        homework / SETTINGS,
        *engine.glob("judge/*.ini"),
    ]
    return tuple(sorted({*ways, *data}))


def hash_of_public_checks(homework: Path) -> str:
    """Return a short hash over all that decides a public check, the same here and there.

    Line endings do not count: an unpacker may have changed them.
    """
    digest = hashlib.sha256()
    for path in shipped_files(homework):
        if path.suffix == ".toml":  # points and deadlines; of the settings only the seed matters
            continue
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]


def _follow(starts: Iterable[Path]) -> dict[Path, Sequence[Path]]:
    """Return every file that is reached, with the way to it."""
    reached: dict[Path, Sequence[Path]] = {}
    waiting: list[tuple[Path, tuple[Path, ...]]] = [(path, ()) for path in starts]
    while waiting:
        path, way = waiting.pop()
        if path in reached:
            continue
        reached[path] = way
        for module in _named_in(path):
            waiting += [(found, (*way, path)) for found in _files_of(module)]
    return reached


def _named_in(path: Path) -> Iterator[str]:
    """Every module that a file may name. By its text: a grading has no time to parse them all."""
    text = path.read_text(encoding="utf-8")
    for package, names in _FROM.findall(text):
        yield package
        yield from (f"{package}.{name}" for name in _WORD.findall(names))
    for names in _IMPORT.findall(text):
        yield from _DOTTED.findall(names)
    yield from _QUOTED.findall(text)


def _files_of(module: str) -> Iterator[Path]:
    """The file of a module of ours, with the `__init__` of every package above it."""
    parts = module.split(".")
    base = ROOT.joinpath(*parts)
    file = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
    if not file.is_file():
        return
    yield file
    for depth in range(1, len(parts)):
        above = ROOT.joinpath(*parts[:depth], "__init__.py")
        if above.is_file():
            yield above
