"""A fork server whose forks report their process ids, for `test_fork_server`.

A fork writes a line of numbers to its descriptor: the process ids of its server, itself and a
daemon (0 without `leaves`), and its open descriptors. Then it ends with the request's
`status`, or stays with `stays`, and ignores SIGTERM with `ignores`; with `raises` it fails at once.
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
            raise RuntimeError("as requested")
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
