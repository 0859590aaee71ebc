"""A fork server whose forks say who they are, for `test_fork_server`.

A fork writes a line of numbers to the descriptor that it was sent: its server's process id, its
own, that of a daemon where the request has `leaves` (else 0), and the descriptors that it holds.
Then it ends with the request's `status`, or goes on where the request has `stays`, whatever asks it
to end where it has `ignores`; with `raises` it fails before it has said anything.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from autograder.engine.sandbox import fork_server
from autograder.engine.sandbox.confine import become_subreaper, die_with_parent, end_orphans


def main(argv: list[str]) -> int:
    """Serve."""
    die_with_parent()
    become_subreaper()
    server = os.getpid()
    fork_server._GRACE_S = 0.3

    def become(request: Mapping[str, Any], descriptors: list[int]) -> int:
        die_with_parent(server)
        if request.get("raises"):
            raise RuntimeError("as it was asked to")
        if request.get("ignores"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        daemon = os.fork() if request.get("leaves") else 0
        if request.get("leaves") and daemon == 0:
            os.setsid()
            os.close(descriptors[0])
            signal.pause()
        held = (int(name) for name in os.listdir("/proc/self/fd"))
        line = " ".join(map(str, (server, os.getpid(), daemon, *sorted(held))))
        os.write(descriptors[0], line.encode() + b"\n")
        while request.get("stays"):
            signal.pause()
        return int(request.get("status", 0))

    fork_server.serve(int(argv[0]), become, sweep=end_orphans)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
