"""A worker for systems without fork: one process serves one check after the other.

It connects to the judge, serves until the judge hangs up, forgets the student's modules and
connects again: that it does so tells the judge that it is well.
"""

from __future__ import annotations

import argparse
import importlib
import linecache
import math
import socket
import sys
from pathlib import Path
from typing import Any

# Names the judge: whoever else finds the port is not served.
TOKEN_BYTES = 32


def main(argv: list[str]) -> int:
    """Serve until the judge no longer listens."""
    parser = argparse.ArgumentParser(prog="worker")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--homework", required=True, help="package that holds `experiments`")
    parser.add_argument("--submission", type=Path, required=True)
    options = parser.parse_args(argv)

    sys.dont_write_bytecode = True  # the student's files are copies that are soon removed

    import torch

    from autograder.engine.worker import frames
    from autograder.engine.worker.serve import serve

    torch.set_num_threads(1)
    experiments = importlib.import_module(f"{options.homework}.experiments").EXPERIMENTS
    path = list(sys.path)
    while True:
        try:
            sock = socket.create_connection(("127.0.0.1", options.port))
        except OSError:
            return 0
        with sock:
            sock.settimeout(None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(bytes.fromhex(options.token))
            frames.send(sock, frames.Frame({"ready": True}), math.inf)
            serve(sock, experiments, options.submission)
        sys.path[:] = path
        _forget(torch)


def _forget(torch: Any) -> None:
    """Let the next check meet a process as fresh as can be had without starting one."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "codebase"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    linecache.clearcache()
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.distributions.Distribution.set_default_validate_args(True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
