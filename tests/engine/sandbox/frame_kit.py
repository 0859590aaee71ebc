"""Frames made by hand, right or wrong, and what is made of their bytes."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time

import numpy as np

from autograder.engine.sandbox.frames import Frame, Limits, receive

TWO_FLOATS = np.array([1.0, 2.0], np.float32).tobytes()
# Long enough for a machine under load; no test waits for it unless it is about to fail.
PATIENCE_S = 20.0


def soon(seconds: float = PATIENCE_S) -> float:
    """A deadline so many seconds from now."""
    return time.monotonic() + seconds


def received(data: bytes, limits: Limits | None = None) -> Frame:
    """Receive these bytes from a peer that closes after them."""
    theirs, ours = socket.socketpair()

    def write() -> None:
        with theirs, contextlib.suppress(OSError):  # we may hang up in the middle
            theirs.sendall(data)

    writer = threading.Thread(target=write)
    with ours:
        writer.start()
        try:
            return receive(ours, soon(), limits or Limits())
        finally:
            ours.close()
            writer.join()


def frame_bytes(header: bytes = b"{}", body: bytes = b"", magic: bytes = b"AGF1") -> bytes:
    """A frame whose lengths are right, whatever it holds."""
    return struct.pack(">4sII", magic, len(header), len(body)) + header + body


def body_bytes(header: object, data: bytes = b"") -> bytes:
    """A safetensors body with any header of its own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(
    dtype: object = "F32", shape: object = (2,), data_offsets: object = (0, 8)
) -> dict[str, object]:
    """An array's entry; as it stands it describes two floats."""
    return {"dtype": dtype, "shape": shape, "data_offsets": data_offsets}
