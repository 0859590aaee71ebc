"""Sends a good frame, one byte a second."""

# expected: Z
# twin: right
# says: did not return within|waited for|too slow
import json
import os
import stat
import struct


def wire():
    """The descriptor of the connection to the judge."""
    for number in range(256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                return number
        except OSError:
            continue
    raise OSError("no socket")


def frame(header, body=b""):
    text = json.dumps(header).encode()
    return struct.pack(">4sII", b"AGF1", len(text), len(body)) + text + body

import time


def loss_nonsaturating_d(g, d, x_real, *, device):
    for byte in frame({"id": 2, "values": {}}):
        os.write(wire(), bytes([byte]))
        time.sleep(1.0)
