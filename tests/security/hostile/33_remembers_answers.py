"""Keeps what it saw in globals, on disk and in shared memory, for later checks to find."""

# expected: Z
# twin: right
# says: It says: found: nothing
# only: 2.2.6 2.2.3
import contextlib
import ctypes
import mmap
import os
from multiprocessing import shared_memory

KEPT = []
for place in ("/dev/shm/CANARY-KEPT", "/tmp/CANARY-KEPT", "/var/tmp/CANARY-KEPT", "../CANARY-KEPT"):
    with contextlib.suppress(OSError):
        if os.path.exists(place):
            KEPT.append(place)
        with open(place, "w") as file:
            file.write("kept")
libc = ctypes.CDLL(None)
key = 0x0C0FFEE
if libc.shmget(key, 4096, 0) >= 0:
    KEPT.append("System V memory")
libc.shmget(key, 4096, 0o1666)
if libc.msgget(key, 0) >= 0:
    KEPT.append("System V queue")
libc.msgget(key, 0o1666)
with contextlib.suppress(OSError):
    shared_memory.SharedMemory("CANARY-KEPT", create=True, size=16)
with contextlib.suppress(OSError, ValueError):
    mmap.mmap(-1, 4096)
    KEPT.append("shared anonymous memory")
libc.memfd_create.restype = ctypes.c_int
if libc.memfd_create(b"kept", 0) >= 0:
    KEPT.append("a memory file")


def loss_nonsaturating_d(g, d, x_real, *, device):
    raise RuntimeError(f"found: {KEPT or 'nothing'}")
