"""Prefork server: imports torch once, forks a zygote per grading.

Gradings that run at the same time share its memory, and one whose zygote died gets another without
importing torch again. It runs no student code, and ends the processes that a killed zygote left.

Apart from `fork_server.py`, which the supervisor imports and which is standard library only.
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
    """Serve `argv[0]`, the descriptor of the requests, for the homework in the folder `argv[1]`."""
    confine.die_with_parent()
    confine.become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the graders handle Ctrl-C
    prepared = zygote.prepare(Path(argv[1]), many=True)
    prefork = os.getpid()

    def fork_zygote(request: Mapping[str, Any], descriptors: list[int]) -> int:
        confine.die_with_parent(prefork)
        # A zygote ends when its control socket is closed, after grader and judge have ended.
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

    # A short sweep: other graders wait for this process.
    serve(int(argv[0]), fork_zygote, sweep=lambda forks: confine.end_orphans(forks, give_up_s=0.2))
    return 0


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    os._exit(ended)  # the interpreter's own end takes torch a tenth of a second
