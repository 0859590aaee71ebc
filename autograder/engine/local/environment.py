"""Problems of a student's Python: packages that are missing, or that do not fit together."""

from __future__ import annotations

import gc
import importlib.util
import sys

_NEEDED = ("torch", "numpy", "gradescope_utils", "pytest_timeout")
_OLDEST = (3, 10)
_INSTALL = "python -m pip install -r requirements.txt"


def missing() -> str:
    """Return a message about packages that cannot be found, without importing them; "" if none."""
    if sys.version_info < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return f"Python {oldest} or newer is needed; this is {sys.version.split()[0]}."
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        return f"{sys.executable} cannot find {', '.join(absent)}. Install it with: {_INSTALL}"
    return ""


def broken() -> str:
    """Import torch and return a message if it does not work; "" if it does.

    Its objects live until the end, so the garbage collector skips them.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        import numpy
        import torch

        gc.freeze()
        torch.from_numpy(numpy.zeros(1)).numpy()
    except Exception as error:
        import importlib.metadata as metadata

        def version(package: str) -> str:
            try:
                return metadata.version(package)
            except metadata.PackageNotFoundError:
                return "(unknown version)"

        return (
            "The checks cannot run in this Python: torch "
            f"{version('torch')} does not work with numpy {version('numpy')} here "
            f"({type(error).__name__}: {error}). Your code is not the cause. Install "
            f"versions that work together: {_INSTALL}"
        )
    finally:
        if collects:
            gc.enable()
    return ""
