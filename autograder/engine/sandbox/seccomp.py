"""seccomp: refuse system calls that no solution needs, for the rest of the process's life.

A short filter in classic BPF. The listed calls, new namespaces and shared anonymous memory fail
with EPERM. A process can make no socket (except connected pairs) and nothing that outlives it or
that no rlimit counts: System V memory and queues, memory files. torch runs normally under it.

Source: the kernel's documentation, userspace-api/seccomp_filter.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from autograder.engine.sandbox.landlock import no_new_privileges

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Numbers of the calls on these two, from the kernel's tables; SECURITY.md says why each is here.
_CALLS = {
    "mmap": (9, 222),
    "clone": (56, 220),
    "clone3": (435, 435),
    "socket": (41, 198),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
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
    """Restrict the calling process; return False on an architecture without a filter.

    Raises:
        OSError: the kernel refused the filter.
    """
    if platform.machine() not in _ARCHITECTURES:
        return False
    program = b"".join(struct.pack("=HBBI", *step) for step in _filter(platform.machine()))
    code = ctypes.create_string_buffer(program)
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    no_new_privileges()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(header), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp filter: {os.strerror(number)}")
    return True


def _filter(machine: str) -> list[_Instruction]:
    column = list(_ARCHITECTURES).index(machine)
    numbers = {name: both[column] for name, both in _CALLS.items()}
    refuse = (_RETURN, 0, 0, _FAIL | errno.EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    # A filter cannot see clone3's flags; without clone3 the C library falls back to clone.
    unknown = (_RETURN, 0, 0, _FAIL | errno.ENOSYS)
    steps: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]),
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
