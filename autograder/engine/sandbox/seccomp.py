"""Seccomp: a process gives up system calls that no solution needs, for good.

A short filter in the kernel's classic BPF: calls on the list fail with EPERM, new namespaces and
shared anonymous memory too. No socket can be made (a pair of connected ones can), nor anything that
outlives its processes or that no rlimit counts: System V memory and queues, memory files. torch
runs normally under it. Only the two architectures whose numbers are listed are covered; `restrict`
says so where it does not hold.

Source: the kernel's documentation, userspace-api/seccomp_filter.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from autograder.engine.sandbox.landlock import no_new_privileges

# What each call would be good for is in SECURITY.md; numbers from the kernel's tables.
_NUMBERS: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "mmap": 9,
            "clone": 56,
            "clone3": 435,
            "socket": 41,
            "shmget": 29,
            "semget": 64,
            "msgget": 68,
            "mq_open": 240,
            "memfd_create": 319,
            "memfd_secret": 447,
            "ptrace": 101,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "kcmp": 312,
            "pidfd_getfd": 438,
            "io_uring_setup": 425,
            "io_uring_enter": 426,
            "io_uring_register": 427,
            "unshare": 272,
            "setns": 308,
            "mount": 165,
            "umount2": 166,
            "pivot_root": 155,
            "chroot": 161,
            "open_tree": 428,
            "move_mount": 429,
            "fsopen": 430,
            "bpf": 321,
            "perf_event_open": 298,
            "userfaultfd": 323,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "init_module": 175,
            "finit_module": 313,
            "kexec_load": 246,
            "reboot": 169,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "mmap": 222,
            "clone": 220,
            "clone3": 435,
            "socket": 198,
            "shmget": 194,
            "semget": 190,
            "msgget": 186,
            "mq_open": 180,
            "memfd_create": 279,
            "memfd_secret": 447,
            "ptrace": 117,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "kcmp": 272,
            "pidfd_getfd": 438,
            "io_uring_setup": 425,
            "io_uring_enter": 426,
            "io_uring_register": 427,
            "unshare": 97,
            "setns": 268,
            "mount": 40,
            "umount2": 39,
            "pivot_root": 41,
            "chroot": 51,
            "open_tree": 428,
            "move_mount": 429,
            "fsopen": 430,
            "bpf": 280,
            "perf_event_open": 241,
            "userfaultfd": 282,
            "add_key": 217,
            "request_key": 218,
            "keyctl": 219,
            "init_module": 105,
            "finit_module": 273,
            "kexec_load": 104,
            "reboot": 142,
        },
    ),
}
_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_AND = 0x54
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT, _FOURTH_ARGUMENT_AT = 0, 4, 16, 40
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_X32_BIT = 0x40000000
_SHARED_ANONYMOUS = 0x21  # MAP_SHARED | MAP_ANONYMOUS
_NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

_Instruction = tuple[int, int, int, int]


def restrict() -> bool:
    """Restrict the calling process; return whether the filter holds (False: not this machine's).

    Raises:
        OSError: the kernel refused the filter.
    """
    entry = _NUMBERS.get(platform.machine())
    if entry is None:
        return False
    program = b"".join(struct.pack("=HBBI", *step) for step in _filter(*entry))
    code = ctypes.create_string_buffer(program)
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    no_new_privileges()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(header), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp filter: {os.strerror(number)}")
    return True


def _filter(architecture: int, numbers: dict[str, int]) -> list[_Instruction]:
    refuse = (_RETURN, 0, 0, _FAIL | errno.EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    # Without clone3, whose flags a filter cannot see, the C library falls back to clone.
    unknown = (_RETURN, 0, 0, _FAIL | errno.ENOSYS)
    steps: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 1, 0, architecture),
        refuse,
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_GREATER_EQUAL, 0, 1, _X32_BIT),
        refuse,
        (_JUMP_EQUAL, 0, 1, numbers["clone3"]),
        unknown,
        (_JUMP_EQUAL, 0, 5, numbers["mmap"]),
        (_LOAD, 0, 0, _FOURTH_ARGUMENT_AT),
        (_AND, 0, 0, _SHARED_ANONYMOUS),
        (_JUMP_EQUAL, 0, 1, _SHARED_ANONYMOUS),
        refuse,
        allow,
        (_JUMP_EQUAL, 0, 4, numbers["clone"]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_JUMP_SET, 0, 1, _NEW_NAMESPACES),
        refuse,
        allow,
    ]
    for name, number in numbers.items():
        if name not in ("mmap", "clone", "clone3"):
            steps += [(_JUMP_EQUAL, 0, 1, number), refuse]
    return [*steps, allow]
