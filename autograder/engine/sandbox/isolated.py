"""Run a module of this project in isolated mode: `python -I isolated.py MODULE [ARG ...]`.

`-I` keeps the caller's environment, the current folder and the user's site-packages out of
`sys.path`; this file then adds the project's folder, and `importable` a homework's.
"""

from __future__ import annotations

import importlib.util
import keyword
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]  # the checkout, or the folder it is installed into
# A wheel carries here what a checkout has beside the package: the scripts and files of a bundle.
_CARRIED = ROOT / "autograder" / "checkout"
INSTALLED = _CARRIED.is_dir()
PROJECT = _CARRIED if INSTALLED else ROOT
OURS = ROOT / "autograder" if INSTALLED else ROOT  # what graded code must not read


def command(python: str, module: str) -> list[str]:
    """Return the command line that runs `module` in isolated mode."""
    return [python, "-I", str(Path(__file__).resolve()), module]


def package_and_root(folder: Path) -> tuple[str, Path]:
    """Return the package that a homework's folder is, and the folder to import it from.

    The folder and each one above it that has an `__init__.py` belong to the package's name.
    """
    folder = folder.resolve()
    names, above = [folder.name], folder.parent
    while (above / "__init__.py").is_file():
        names.append(above.name)
        above = above.parent
    return ".".join(reversed(names)), above


def importable(folder: Path) -> str:
    """Make the package in a homework's folder importable; return its name.

    Its root goes to the end of `sys.path`: no file in it can shadow another package.

    Raises:
        ModuleNotFoundError: the name is no package's, or belongs to another package.
    """
    package, root = package_and_root(folder)
    if str(root) not in sys.path:
        sys.path.append(str(root))
    if not all(p.isidentifier() and not keyword.iskeyword(p) for p in package.split(".")):
        raise ModuleNotFoundError(
            f"{package!r} is no name for a package; rename {folder} with letters, digits and _ only"
        )
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"there is no folder {folder}", name=package)
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    if folder.resolve() not in [place.resolve() for place in places]:
        raise ModuleNotFoundError(
            f"another package is called {package!r}; rename {folder}", name=package
        )
    return package


if __name__ == "__main__":
    if str(ROOT) not in sys.path:  # site-packages stays behind the standard library
        sys.path.insert(0, str(ROOT))
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
