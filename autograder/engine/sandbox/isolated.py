"""Run a module of this project in isolated mode: `python -I isolated.py MODULE [ARG ...]`.

`-I` keeps the caller's environment, the current folder and the user's site-packages out of
`sys.path`; this file then adds the project's folder.
"""

from __future__ import annotations

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


if __name__ == "__main__":
    if str(ROOT) not in sys.path:  # site-packages stays behind the standard library
        sys.path.insert(0, str(ROOT))
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
