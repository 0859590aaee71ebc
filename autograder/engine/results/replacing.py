"""A file that is replaced in one step: a reader finds the old or the new one, never a part."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path, encoding: str | None = None) -> Iterator[Any]:
    """Open a file that replaces `path` once all of it is written; a crash cannot lose it then.

    A symlink or fifo at `path` is replaced, not followed; a folder is moved aside (its new name
    begins with the old one). Missing parent folders are created. Everyone can read the file.
    Without an encoding it takes bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    text: Any = {"encoding": encoding, "errors": "backslashreplace", "newline": ""}
    try:
        with open(fd, "w", **text) if encoding else open(fd, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.lstat(path).st_mode):  # os.replace() cannot replace folders
                os.rename(path, f"{path}.moved-aside-{secrets.token_hex(4)}")
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot
            os.fsync(folder)
    finally:
        os.close(folder)
