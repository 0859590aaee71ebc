"""Takes shared memory, which no rlimit counts, in every way there is."""

# expected: Z
# twin: right
# says: It says: found: nothing
# only: 2.2.6 2.2.3
import contextlib
import ctypes
import mmap


def loss_nonsaturating_d(g, d, x_real, *, device):
    taken = []
    libc = ctypes.CDLL(None)
    for i in range(200):
        with contextlib.suppress(OSError, ValueError):
            taken.append(mmap.mmap(-1, 50_000_000))
        if libc.shmget(i + 77, 50_000_000, 0o1666) >= 0:
            taken.append(i)
        if libc.memfd_create(b"x", 0) >= 0:
            taken.append(i)
        with contextlib.suppress(OSError), open(f"/dev/shm/CANARY-{i}", "wb") as file:
            taken.append(file.write(b"x" * 1000))
        with contextlib.suppress(OSError):
            taken.append(open("/dev/zero"))
    raise RuntimeError(f"found: {taken[:3] or 'nothing'}")
