"""An autograder for homework in PyTorch: `__version__`, and what the author of a homework imports.

docs/authors.md explains each name. They are imported when they are used: a worker and the
supervisor import this package, too, and must stay small. `__init__.pyi` has their types.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "1.0.0"

# Each name's module, within autograder.engine.
API = {
    "Catalogue": "catalogue.solutions",
    "CheckFailed": "judge.exceptions",
    "Diagnosis": "judge.diagnosis",
    "Right": "catalogue.solutions",
    "Student": "judge.student",
    "Tolerance": "judge.compare",
    "Wrong": "catalogue.solutions",
    "assert_close": "judge.compare",
    "blocked_by": "judge.decorators",
    "explained_by": "judge.decorators",
    "number": "judge.decorators",
    "requires_any_of": "judge.decorators",
    "visibility": "judge.decorators",
    "weight": "judge.decorators",
}
__all__ = ["__version__", *sorted(API)]


def __getattr__(name: str) -> Any:
    if name not in API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.engine.{API[name]}"), name)
