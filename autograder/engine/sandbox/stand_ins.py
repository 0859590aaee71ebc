"""Stand-ins for packages that are not installed: importing one works, using it raises.

So an unused import costs no points. Code that handles the ImportError itself never gets a
stand-in: only a line whose ImportError nobody caught does.
"""

from __future__ import annotations

import builtins
import difflib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

# Called with the package and the student's file; raises.
Refuse = Callable[[str, str], NoReturn]

# Similarity of two names from which one counts as a misspelling of the other.
_MISSPELT = 0.8
_OPERATORS = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "and", "xor")
_USES = (
    *("call", "setitem", "delitem", "contains", "len", "iter", "next", "enter", "exit"),
    *("mro_entries", "instancecheck", "subclasscheck", "array"),
    *("bool", "int", "float", "complex", "index", "lt", "le", "gt", "ge", "neg", "pos", "abs"),
    *(f"{side}{operator}" for operator in _OPERATORS for side in ("", "r", "i")),
)


class StandIn:
    """Stands in for a package or anything in it: every use raises, except naming something.

    `package.thing` is allowed, and `package.Thing["B D"] | None` in an annotation.
    """

    _StandIn_refuse: Callable[[], NoReturn]

    def __init__(self, package: str, file: str, refuse: Refuse) -> None:
        object.__setattr__(self, "_StandIn_refuse", lambda: refuse(package, file))

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith(("__", "_StandIn")):  # Python's own, or in a copy without __init__
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> StandIn:
        return self

    def __or__(self, other: object) -> StandIn:
        return self

    __ror__ = __or__

    def __setattr__(self, name: str, value: object) -> None:
        self._StandIn_refuse()

    def __delattr__(self, name: str) -> None:
        self._StandIn_refuse()


def _use(stand_in: StandIn, *_arguments: object, **_named: object) -> NoReturn:
    stand_in._StandIn_refuse()


for _name in _USES:
    setattr(StandIn, f"__{_name}__", _use)


class StandIns:
    """Gives stand-ins to the lines that were admitted.

    Args:
        root: the staged submission; no other file gets a stand-in.
        code: the folder of the student's files in it.
        refuse: raises the error for the use of a stand-in.
    """

    def __init__(self, root: Path, code: str, refuse: Refuse) -> None:
        self._root = root
        self._code = root / code
        self._inside = f"{root}{os.sep}"
        self._refuse = refuse
        self._lines: set[tuple[str, str, int]] = set()
        self._import = builtins.__import__

    def admit(self, error: ModuleNotFoundError) -> bool:
        """Give the line that raised this error a stand-in from now on; return whether that is new.

        False if the package is installed, its name is similar to that of a homework file, or the
        line is not in the submission.
        """
        line = self._line_of(error)
        if line is None or line in self._lines:
            return False
        if not self._lines:
            builtins.__import__ = self._import_or_stand_in
        self._lines.add(line)
        return True

    def close(self) -> None:
        """Restore the normal import."""
        if self._lines:
            builtins.__import__ = self._import
            self._lines.clear()

    def _line_of(self, error: ModuleNotFoundError) -> tuple[str, str, int] | None:
        package = error.name
        if not isinstance(package, str) or not package.isidentifier():  # a module in a package
            return None
        files = [path.stem for path in self._code.glob("*.py")]
        if difflib.get_close_matches(package, files, cutoff=_MISSPELT):
            return None
        try:
            if importlib.util.find_spec(package) is not None:
                return None
        except (ImportError, ValueError):
            return None
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if not frame.filename.startswith("<frozen importlib") and frame.filename != __file__
        ]
        if not frames or not frames[-1].filename.startswith(self._inside):
            return None
        return package, frames[-1].filename, frames[-1].lineno or 0

    def _import_or_stand_in(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        try:
            return self._import(name, globals, locals, fromlist or (), level)
        except ModuleNotFoundError:
            caller = sys._getframe(1)
            package, file = name.partition(".")[0], caller.f_code.co_filename
            if level or (package, file, caller.f_lineno) not in self._lines:
                raise
            return StandIn(package, Path(file).relative_to(self._root).as_posix(), self._refuse)
