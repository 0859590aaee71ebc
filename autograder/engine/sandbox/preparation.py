"""Import a submission's packages once in the zygote, before it forks the workers.

The supervisor chooses the modules from its own list (see `submission/imports.py`); no student's
file is imported. A failed import is ignored: the worker gets the same error.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder.engine.sandbox.lean_torch import LATE

# setup.sh stores matplotlib's list of fonts here; making it takes seconds.
_FONT_LISTS = Path(sys.prefix) / "share" / "matplotlib-cache"
# What torch imports at the first use of some functions, in up to two seconds; a process that serves
# many submissions imports it once. For one submission, `submission/imports.py` chooses.
FIRST_USED = (
    LATE,
    "torch._decomp.decompositions_for_jvp",
    "torch._dynamo",
    "torch.fx.experimental.symbolic_shapes",
)


def import_all(modules: Iterable[str]) -> tuple[str, ...]:
    """Import modules, and undo their other changes to this process.

    Returns:
        The modules that started a thread, which forks will not have.
    """
    new = [name for name in modules if name not in sys.modules]
    if not new:
        return ()
    threaded = []
    _lay_out_font_lists()
    threads = _threads()
    for name in new:
        with _undone(), contextlib.suppress(Exception, SystemExit):
            importlib.import_module(name)
        if _threads() > threads:
            threads = _threads()
            threaded.append(name)
    # As in zygote.prepare: a worker's collector must not touch the shared pages.
    gc.collect()
    gc.freeze()
    return tuple(threaded)


@contextlib.contextmanager
def _undone() -> Iterator[None]:
    """Restore the folder, the umask, signal handlers and warnings, of which none is shown."""
    folder = Path.cwd()
    mask = os.umask(0o077)
    os.umask(mask)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.chdir(folder)
        os.umask(mask)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:  # not Linux
        return 1


def _lay_out_font_lists() -> None:
    """Copy the lists of fonts to matplotlib's folder, which must be writable."""
    target = os.environ.get("MPLCONFIGDIR")
    if target is None:
        return
    with contextlib.suppress(OSError):
        Path(target).mkdir(exist_ok=True)
        for path in _FONT_LISTS.glob("fontlist-*.json"):
            shutil.copy(path, target)
