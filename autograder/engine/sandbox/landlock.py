"""Landlock: a process and its children keep access to the named files only, for good.

The kernel's interface (since 5.13, in Docker's default profile) is three system calls and three
small structures; the C library has no wrappers. An older kernel gets fewer layers: `restrict`
returns those that hold.

Source: the kernel's documentation, userspace-api/landlock.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE = 1 << 14
_ALL_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_NO_TCP = 0b11  # bind and connect
_NO_SIGNALS_OUT = 0b11  # abstract Unix sockets and signals, to processes outside


@dataclass(frozen=True)
class Paths:
    """Paths that stay readable, and paths that stay readable and writable. None is executable.

    Of `listable` folders, and of the folders in them, only the names can be read.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    listable: tuple[Path, ...] = ()


def version() -> int:
    """Return the kernel's version of the interface, 0 if it has none."""
    return max(_syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG), 0)


def restrict(paths: Paths) -> tuple[str, ...]:
    """Restrict the calling process; return the names of the layers that now hold.

    Paths that do not exist are skipped.

    Raises:
        OSError: the kernel has the interface but refused.
    """
    abi = version()
    if abi == 0:
        return ()
    handled = _ALL_OF_VERSION[max(version for version in _ALL_OF_VERSION if version <= abi)]
    net = _NO_TCP if abi >= 4 else 0
    scoped = _NO_SIGNALS_OUT if abi >= 6 else 0
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    attributes = struct.pack("=QQQ", handled, net, scoped)[:size]
    ruleset = _checked(_syscall(_CREATE_RULESET, attributes, size, 0), "create_ruleset")
    try:
        _allow(ruleset, paths.readable, (_READ_FILE | _READ_DIR) & handled)
        _allow(ruleset, paths.listable, _READ_DIR & handled)
        _allow(ruleset, paths.writable, handled & ~_EXECUTE)
        no_new_privileges()
        _checked(_syscall(_RESTRICT_SELF, ruleset, 0), "restrict_self")
    finally:
        os.close(ruleset)
    return ("files", *(("TCP",) if net else ()), *(("signals",) if scoped else ()))


def no_new_privileges() -> None:
    """Take the effect of setuid binaries from this process and its children.

    Raises:
        OSError: the kernel refused.
    """
    _checked(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def _allow(ruleset: int, paths: Iterable[Path], access: int) -> None:
    for path in paths:
        try:
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            allowed = access if path.is_dir() else access & _FILE_ONLY
            rule = struct.pack("=Qi", allowed, parent)
            _checked(_syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0), "add_rule")
        finally:
            os.close(parent)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: bytes | int | None) -> int:
    converted = [
        ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value)
        for value in arguments
    ]
    return int(_LIBC.syscall(ctypes.c_long(number), *converted))


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
