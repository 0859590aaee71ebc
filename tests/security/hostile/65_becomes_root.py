"""Tries to become root: setuid, setgid, capabilities, programs with the setuid bit."""

# expected: Z
# twin: right
# says: It says: found: nothing
# only: 2.2.6 2.2.3
import contextlib
import os
import subprocess


def look():
    found = []
    for become in (os.setuid, os.setgid, os.seteuid, os.setegid):
        with contextlib.suppress(OSError):
            become(0)
            found.append(become.__name__)
    with contextlib.suppress(OSError):
        os.setgroups([0])
        found.append("setgroups")
    for program in ("/bin/su", "/usr/bin/sudo", "/usr/bin/passwd", "/bin/true", "/bin/sh"):
        with contextlib.suppress(OSError):
            subprocess.run([program, "-c", "true"], timeout=1)
            found.append(program)
    return found

def loss_nonsaturating_d(g, d, x_real, *, device):
    raise RuntimeError(f"found: {look() or 'nothing'}")
