"""How a worker's process ended, in words."""

from __future__ import annotations

import signal

from autograder.engine.judge.calls import Death


def how_it_died(death: Death) -> str:
    """Say how the process ended. SIGKILL may be ours: then it was ending by itself, slowly."""
    if death.out_of_memory:
        return "the memory ran out"
    status = death.status
    if status is None or status == -signal.SIGKILL:
        return "it was killed"
    if status == -signal.SIGXCPU:
        return "it used up its processor time"
    if status < 0:
        name = _SIGNALS.get(-status)
        return f"it was ended by signal {-status}" + (f" ({name})" if name else "")
    return f"it exited with status {status}"


_SIGNALS: dict[int, str] = {
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "abort",
    signal.SIGFPE: "arithmetic error",
    signal.SIGBUS: "bad memory access",
    signal.SIGXFSZ: "a file grew too large",
}
