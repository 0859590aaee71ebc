"""The imports of a submission, read as text: which to prepare, and which are not installed.

Nothing is executed, and nothing is parsed with `ast`, which deep nesting can crash. Every step
takes linear time. A submission can only choose among the packages named here. Standard library
only: the supervisor imports this.
"""

from __future__ import annotations

import importlib.machinery
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_MAX_BYTES = 1024 * 1024
_LONGEST_STATEMENT = 4000
_LONGEST_NAME = 100
_MOST_STATEMENTS = 500
_MOST_IMPORTS = 1000
# Replaces a backslash at the end of a line: the statement continues.
_CONTINUED = "\v"
_MOST_FILES = 20
_MOST_MODULES = 64

# Packages that are slow to import and do not affect any check. A zygote has everything that torch
# and numpy import.
_READY = frozenset(
    {
        "PIL",
        "einops",
        "functorch",
        "matplotlib",
        "mpl_toolkits",
        "pandas",
        "scipy",
        "sklearn",
        "torchvision",
        "tqdm",
    }
)
# Submodules that have side effects when imported.
_NOT_READY = frozenset({"conftest", "tests", "setup"})
# What torch imports at the first use of a function: 0.5 to 2 s of processor time in every worker.
# Comments and strings count too: a module too many only costs time.
_COMPILER = "torch._dynamo"
_SYMBOLS = "torch.fx.experimental.symbolic_shapes"
_META = "torch._meta_registrations"  # left out by sandbox/lean_torch.py
_FORWARD_MODE = "torch._decomp.decompositions_for_jvp"
_FIRST_USE = {
    re.compile(pattern): modules
    for pattern, modules in {
        r"\b(?:hessian|jacfwd|jvp|linearize|forward_ad)\b": (_META, _FORWARD_MODE),
        r"\b(?:func|functorch|checkpoint|use_deterministic_algorithms|optim)\b": (_COMPILER,),
        r"\b(?:grad_outputs|MultivariateNormal)\b": (_SYMBOLS,),
        r"\b(?:vmap|vectorize|MultivariateNormal|jit|profile|custom_op|prims)\b": (_META,),
        r"torch\.(?:testing|profiler|fx)\b|__torch_dispatch__": (_META,),
        r"[Ff]ake_?[Tt]ensor|FlopCounter": (_META,),
        r"\bmeta\b": (_META, _COMPILER),
    }.items()
}

# Strings and comments. Each matches at the latest at the end of the text or line, so no character
# is read twice.
_NOISE = re.compile(
    r'"""(?:[^"\\]+|\\(?:.|\Z)|"(?!""))*(?:"""|\Z)'
    r"|'''(?:[^'\\]+|\\(?:.|\Z)|'(?!''))*(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\.)*"?'
    r"|'(?:[^'\\\n]|\\.)*'?"
    r"|\#[^\n]*",
    re.DOTALL,
)
_STATEMENT = re.compile(r"(?:^|[;:])[ \t\f\v]*(import|from)(?=[ \t\f\v.(])", re.MULTILINE)
_MENTION = re.compile(r"\b(?:torch|functorch|scipy|sklearn)(?:\.\w+)+")


@dataclass(frozen=True)
class Import:
    """One module that a file imports.

    Args:
        module: as written, with leading dots.
        names: the names imported from it; each may be a module.
        line: the statement's first line.
    """

    module: str
    names: tuple[str, ...]
    line: int

    @property
    def package(self) -> str:
        """The module's first part, empty for a relative import."""
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Missing:
    """An imported package that is not installed."""

    package: str
    file: str
    line: int


def read_imports(text: str) -> tuple[Import, ...]:
    """Return the imports of a file, at any depth.

    Args:
        text: the file; at most 500 statements of its first MiB are read.
    """
    code = _without_noise(text)
    found: list[Import] = []
    line, counted = 1, 0
    for match in islice(_STATEMENT.finditer(code), _MOST_STATEMENTS):
        start = match.start(1)
        line += code.count("\n", counted, start) + code.count(_CONTINUED, counted, start)
        counted = start
        rest = code[match.end(1) : match.end(1) + _LONGEST_STATEMENT]
        if match[1] == "import":
            for part in re.split(r"[;\n]", rest, maxsplit=1)[0].split(","):
                if module := _dotted(part):
                    found.append(Import(module, (), line))
        else:
            module, names = _split_from(rest)
            if module:
                found.append(Import(module, names, line))
    return tuple(found[:_MOST_IMPORTS])


def modules_to_prepare(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Return the modules that a zygote imports before it forks workers for a submission.

    The imports of the submission's own modules are included.
    """
    wanted: dict[str, None] = {}
    first_used: dict[str, None] = {}
    folders = _folders(root, files)
    for text, imports in _followed(root, files, folders):
        for each in imports:
            if _is_own(folders, each.package):
                continue
            wanted[each.module] = None
            wanted.update(dict.fromkeys(f"{each.module}.{name}" for name in each.names))
        for chain in _MENTION.findall(_without_noise(text)):
            parts = chain.split(".")[:3]
            wanted.update(dict.fromkeys(".".join(parts[:n]) for n in (2, 3)))
        for pattern, modules in _FIRST_USE.items():
            if pattern.search(text):
                first_used.update(dict.fromkeys(modules))
    prepared = dict.fromkeys(name for module in wanted for name in _prepared_for(module))
    return (*first_used, *prepared)[:_MOST_MODULES]


def missing_packages(root: Path, files: Sequence[str]) -> tuple[Missing, ...]:
    """Return the imported packages that are not installed, each once per file."""
    missing: dict[tuple[str, str], Missing] = {}
    folders = _folders(root, files)
    for file in files:
        for each in read_imports(_text_of(root / file)):
            name = each.package
            if not name or (file, name) in missing:
                continue
            if _is_own(folders, name) or _is_installed(name):
                continue
            missing[file, name] = Missing(name, file, each.line)
    return tuple(missing.values())


def _prepared_for(module: str) -> Iterator[str]:
    parts = module.split(".")
    if parts[0] in _READY and not any(p.startswith("_") or p in _NOT_READY for p in parts):
        yield module


def _folders(root: Path, files: Sequence[str]) -> tuple[Path, ...]:
    """Return the folders from which a submission's own modules are imported."""
    return tuple(dict.fromkeys((root, *((root / file).parent for file in files))))


def _followed(
    root: Path, files: Sequence[str], folders: Sequence[Path]
) -> Iterator[tuple[str, tuple[Import, ...]]]:
    """Yield text and imports of the files and of the submission's modules that they import."""
    due = [root / file for file in files]
    done: set[Path] = set()
    while due and len(done) < _MOST_FILES:
        file = due.pop()
        if file in done:
            continue
        done.add(file)
        text = _text_of(file)
        imports = read_imports(text)
        yield text, imports
        for each in imports:
            if each.module.startswith(".") or _is_own(folders, each.package):
                names = [part for part in each.module.split(".") if part] + list(each.names)
                paths = (folder / f"{name}.py" for folder in folders for name in names)
                due += [path for path in paths if path.is_file()]


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def _is_own(folders: Sequence[Path], package: str) -> bool:
    """Return whether a name is the submission's: the folder of its code, or a module in it."""
    return any((f / package).is_dir() or (f / f"{package}.py").is_file() for f in folders)


def _is_installed(package: str) -> bool:
    """Return whether a package can be found, without importing anything."""
    if package in sys.stdlib_module_names or package in sys.builtin_module_names:
        return True
    ours = str(Path(__file__).resolve().parents[3])  # our own modules are not installed packages
    paths = [path for path in sys.path if path and path != ours]
    try:
        return importlib.machinery.PathFinder.find_spec(package, paths) is not None
    except (ImportError, ValueError):
        return False


def _without_noise(text: str) -> str:
    """Return the first MiB of a text without strings and comments, with the same lines."""
    plain = text[:_MAX_BYTES].replace("\r\n", "\n").replace("\r", "\n")
    plain = plain.replace("\0", " ").replace(_CONTINUED, " ")
    return _NOISE.sub(_blank, plain).replace("\\\n", _CONTINUED)


def _blank(match: re.Match[str]) -> str:
    """Replace a string by an empty one and a comment by nothing; keep the line breaks."""
    return ("" if match[0].startswith("#") else "''") + "\n" * match[0].count("\n")


def _split_from(rest: str) -> tuple[str, tuple[str, ...]]:
    """Return the module and names after the word `from`."""
    match = re.search(r"(?<=[\s.])import\b", rest)
    if match is None or "\n" in rest[: match.start()]:
        return "", ()
    module = _dotted(rest[: match.start()], relative=True)
    names = rest[match.end() :].lstrip(" \t\f\v")
    if names.startswith("("):
        names = names[1:].partition(")")[0].replace("\n", " ")
    else:
        names = re.split(r"[;\n]", names, maxsplit=1)[0]
    return module, tuple(name for part in names.split(",") if (name := _dotted(part)))


def _dotted(part: str, *, relative: bool = False) -> str:
    """Return the module's name in `a.b as c`, or ""."""
    words = part.split()
    name = words[0] if len(words) == 1 or words[1:2] == ["as"] else ""
    bare = name.lstrip(".") if relative else name
    pieces = bare.split(".") if bare else []
    fits = len(name) <= _LONGEST_NAME and all(piece.isidentifier() for piece in pieces)
    return name if fits else ""
