"""Where zygotes fork_zygote: imports torch once, then forks a zygote for every grader that asks.

A zygote serves one grading at a time. Graders that work side by side share this process's memory,
and one that has lost its zygote gets another without importing torch again. This process runs no
student code; what a zygote that was killed leaves behind, it ends.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.engine.sandbox import confine, zygote
from autograder.engine.sandbox.fork_server import serve


def main(argv: list[str]) -> int:
    """Serve `argv[0]`, the descriptor of the requests, for the homework package `argv[1]`."""
    confine.die_with_parent()
    confine.become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the graders' to handle
    prepared = zygote.prepare(argv[1], many=True)
    prefork = os.getpid()

    def fork_zygote(request: Mapping[str, Any], descriptors: list[int]) -> int:
        confine.die_with_parent(prefork)
        # Once grader and judge are gone the control socket is closed: so a zygote ends well.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        confine.become_subreaper()
        os.setsid()
        control, log = descriptors
        for standard in (1, 2):
            os.dup2(log, standard)
        temporary = Path(request["temporary"])
        os.environ.update(confine.scrubbed_environment(temporary))
        os.chdir(temporary)
        zygote.Zygote(socket.socket(fileno=control), prepared, temporary).run()
        return 0

    # Others wait for what this process does beside.
    serve(int(argv[0]), fork_zygote, sweep=lambda known: confine.end_orphans(known, give_up_s=0.2))
    return 0


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    os._exit(ended)  # the interpreter's own end takes torch a tenth of a second
