"""Import torch without what takes a quarter of the time and what most gradings never use.

`torch._meta_registrations` and what only it needs hold kernels of the meta device and
decompositions, in Python. They are imported when something first asks for one of them, in torch's
own order. The meta device cannot ask: where a submission mentions it, `submission/imports.py` asks
beforehand. This is known of one release of torch; any other is imported as a whole.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

# A test compares what is left out, and what that registers, with the installed release.
_RELEASE = "2.14.1"
LATE = "torch._meta_registrations"
# The other modules that need it, or that it needs; a package stands for all that is in it.
WITH_IT = frozenset({"torch._decomp", "torch._prims", "torch._refs", "torch.utils._content_store"})


def import_torch() -> bool:
    """Import torch; return whether its late modules are still to come."""
    if "torch" in sys.modules or not _is_known():
        importlib.import_module("torch")
        return False
    stand_in = sys.modules[LATE] = ModuleType(LATE)
    try:
        torch = importlib.import_module("torch")
    finally:
        if sys.modules.get(LATE) is stand_in:
            del sys.modules[LATE]
    vars(torch).pop(LATE.partition(".")[2], None)
    if not WITH_IT.isdisjoint(sys.modules) or not _is_postponed(torch):
        importlib.import_module(LATE)
        return False
    return True


def _is_known() -> bool:
    """Whether the installed torch is of the release that this was made for, of any build."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        spec = importlib.util.find_spec("torch")  # does not import it
        if spec is not None and spec.origin is not None:
            text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
            found = re.search(r"^__version__ = '([^'+]*)", text, re.MULTILINE)
            return found is not None and found[1] == _RELEASE
    return False


def _is_postponed(torch: ModuleType) -> bool:
    """Arrange for the late modules to come when they are asked for, if that is possible."""
    try:
        # One of them sets this, and nobody asks for a module before making a generator.
        metaclass = importlib.import_module("torch._custom_class_base").CustomClassBaseMeta
        torch._C._set_generator_metaclass(metaclass)
        _import_attributes(torch)
    except Exception:
        return False
    sys.meta_path.insert(0, _WhenAskedFor())
    return True


class _WhenAskedFor(MetaPathFinder):
    """Imports all late modules before the first of them."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a late module, which is loaded by then."""
        del path, target
        if name != LATE and name not in WITH_IT:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        if name == LATE:
            return None  # it imports the others in the right order
        importlib.import_module(LATE)
        loaded = sys.modules[name]
        # importlib takes the spec of a module that has been loaded meanwhile.
        spec = loaded.__spec__ = ModuleSpec(name, _Loaded(loaded))
        return spec


class _Loaded(Loader):
    """Gives a module that is already loaded."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        del spec
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back, without running its code again."""
        module.__spec__ = self._spec


def _import_attributes(torch: ModuleType) -> None:
    """Let `torch._refs` import that module, as the attribute is there after a whole import."""
    before = vars(torch).get("__getattr__")

    def __getattr__(name: str) -> Any:
        if f"torch.{name}" == LATE or f"torch.{name}" in WITH_IT:
            return importlib.import_module(f"torch.{name}")
        if before is None:
            raise AttributeError(f"module 'torch' has no attribute {name!r}")
        return before(name)

    vars(torch)["__getattr__"] = __getattr__
