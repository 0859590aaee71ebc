"""Coverage-guided fuzzing (atheris) of the parsers of hostile bytes.

`.venv/bin/python -m tests.security.fuzz_bytes frames --seconds 60`, or `... intake ...`. Any
exception except the parser's own, 512 MB of memory, or an input that takes five seconds ends it
with a status other than 0 and leaves the input in the current folder. Otherwise libFuzzer prints
the number of inputs and the coverage.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import socket
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["autograder.engine"]):
    from autograder.engine.sandbox import frames
    from autograder.engine.submission.entries import InvalidSubmission
    from autograder.engine.submission.staging import stage

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FILES = ("codebase/flow_network.py", "codebase/gan.py")
_MAX_BYTES = 60_000  # what a socket's buffer takes at once


def read_frame(data: bytes) -> None:
    """Read bytes as a frame from a socket, then with each half of the parser."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        with contextlib.suppress(frames.FrameError, frames.PeerClosed):
            frames.receive(ours, time.monotonic() + 5)
    with contextlib.suppress(frames.FrameError):
        frames.parse_arrays(data, frames.Limits())
    with contextlib.suppress(frames.FrameError):
        frames.parse_json_object(data)


def stage_zip(data: bytes) -> None:
    """Stage bytes as a zip."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "s.zip"
        source.write_bytes(data)
        with contextlib.suppress(InvalidSubmission):
            staged = Path(name) / "staged"
            stage(source, staged, wanted=FILES, pristine=ROOT / "student_template")


def _good_frame() -> bytes:
    arrays: dict[str, frames.Array] = {"x": np.ones((2, 3), np.float32), "y": np.zeros(2, np.int64)}
    return frames.encode(frames.Frame({"id": 1, "values": {"x": [1.5, None]}}, arrays))


def _good_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            archive.writestr(f"hw3/{name}", "x = 1\n" * 9)
    return buffer.getvalue()


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], bytes]]] = {
    "frames": (read_frame, _good_frame),
    "intake": (stage_zip, _good_zip),
}


def main() -> None:
    """Fuzz one target for a while; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    target, good = TARGETS[options.target]
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    (corpus / "good").write_bytes(good())
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={options.seconds}",
            f"-max_len={_MAX_BYTES}",
            *("-rss_limit_mb=512", "-timeout=5", "-seed=1", "-print_final_stats=1"),
            str(corpus),
        ],
        target,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
