"""Import what a submission will import, once, in the process that its workers are forked from.

What the supervisor asks for comes from its own list (see `submission/imports.py`), never from a
student's file. An import that fails is left alone: the worker meets the same error.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# Where setup.sh leaves the list of fonts; matplotlib takes seconds to make it.
_FONT_LISTS = Path(sys.prefix) / "share" / "matplotlib-cache"


def import_all(modules: Iterable[str]) -> tuple[str, ...]:
    """Import modules; undo what else they change in this process.

    Returns:
        those that started a thread, which forks will not have.
    """
    asked = [name for name in modules if name not in sys.modules]
    if not asked:
        return ()
    threaded = []
    _lay_out_font_lists()
    threads = _threads()
    for name in asked:
        with _undone(), contextlib.suppress(Exception, SystemExit):
            importlib.import_module(name)
        if _threads() > threads:
            threads = _threads()
            threaded.append(name)
    # As in zygote.prepare: the collector of a worker must not touch what it shares with us.
    gc.collect()
    gc.freeze()
    return tuple(threaded)


@contextlib.contextmanager
def _undone() -> Iterator[None]:
    """Put back the current folder, the umask and the handlers of signals."""
    folder = Path.cwd()
    mask = os.umask(0o077)
    os.umask(mask)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
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
    """Copy the lists of fonts to where matplotlib looks: it must be able to write there."""
    target = os.environ.get("MPLCONFIGDIR")
    if target is None:
        return
    with contextlib.suppress(OSError):
        Path(target).mkdir(exist_ok=True)
        for path in _FONT_LISTS.glob("fontlist-*.json"):
            shutil.copy(path, target)
