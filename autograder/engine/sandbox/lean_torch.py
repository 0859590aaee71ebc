"""Import torch without what takes a third of the time and what most gradings never use.

`torch._meta_registrations` holds kernels of the meta device and decompositions, in Python. They
are imported when something first asks for them, in the order in which torch itself would have
done it. Where a student's text mentions the meta device, `submission/imports.py` asks beforehand.
The list of modules is that of one release of torch; any other is imported as a whole.
"""

from __future__ import annotations

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

# The release whose modules are listed here; a test compares the list with what is installed.
_RELEASE = "2.14.1"
LATE = "torch._meta_registrations"
# What torch imports at the first use of some functions, in up to two seconds; a process that serves
# many submissions imports it once. For one submission, `submission/imports.py` chooses.
FIRST_USED = (
    LATE,
    "torch._decomp.decompositions_for_jvp",
    "torch._dynamo",
    "torch.fx.experimental.symbolic_shapes",
)
# The other modules that nothing else in torch imports at once, without those inside them.
WITH_IT = frozenset(
    {
        "torch._decomp",
        "torch._prims",
        "torch._refs",
        "torch.testing._internal.common_dtype",
        "torch.utils._content_store",
    }
)


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
    sys.meta_path.insert(0, _WhenAskedFor())
    _import_attributes(torch)
    # One of the late modules sets this, and nobody asks for a module before making a generator.
    torch._C._set_generator_metaclass(
        importlib.import_module("torch._custom_class_base").CustomClassBaseMeta
    )
    return True


def _is_known() -> bool:
    spec = importlib.util.find_spec("torch")  # does not import it
    if spec is None or spec.origin is None:
        return False
    try:
        text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(rf"^__version__ = '{re.escape(_RELEASE)}\\b", text, re.MULTILINE) is not None


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
        loaded = sys.modules.get(name)
        if loaded is None:
            return None
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
