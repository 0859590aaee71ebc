"""Traces and reads the memory of its parent and of itself."""

# expected: Z
# twin: right
# says: It says: found: nothing
# only: 2.2.6 2.2.3
import ctypes
import os


def look():
    libc = ctypes.CDLL(None, use_errno=True)
    found = []
    for request in (0, 16, 0x4206):  # TRACEME, ATTACH, SEIZE
        if libc.ptrace(request, os.getppid(), 0, 0) == 0:
            found.append(f"ptrace {request}")
    buffer = ctypes.create_string_buffer(64)

    class Piece(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    piece = Piece(ctypes.cast(buffer, ctypes.c_void_p), 64)
    for name in ("process_vm_readv", "process_vm_writev"):
        if getattr(libc, name)(os.getppid(), ctypes.byref(piece), 1, ctypes.byref(piece), 1, 0) > 0:
            found.append(name)
    return found

def loss_nonsaturating_d(g, d, x_real, *, device):
    raise RuntimeError(f"found: {look() or 'nothing'}")
