"""Lowers its own priority of being killed, and raises limits."""

# expected: N
# twin: half
import contextlib
import resource

for what in (resource.RLIMIT_DATA, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        raise SystemError("a limit could be raised")
with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
    file.write("-1000")
    raise SystemError("the kernel's choice could be changed")
