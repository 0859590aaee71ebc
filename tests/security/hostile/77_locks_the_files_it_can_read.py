"""Locks every file that it can read, to stall whoever comes next."""

# expected: N
# twin: half
import contextlib
import fcntl
import glob
import os

HELD = []
for path in (__file__, *glob.glob(os.path.join(os.path.dirname(__file__), "*.py"))):
    with contextlib.suppress(OSError):
        HELD.append(open(path))
        fcntl.flock(HELD[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
