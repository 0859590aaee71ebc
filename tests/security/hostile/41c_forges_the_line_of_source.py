"""Sends an error whose file, line and source are of its own making."""

# expected: Z
# twin: right
# says: exited with status 0
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



def loss_nonsaturating_d(g, d, x_real, *, device):
    error = {"type": "CANARY-PLANTED", "message": "CANARY-PLANTED", "misuse": True}
    error |= {"file": "codebase/CANARY-PLANTED.py", "line": 1, "source": "CANARY-PLANTED"}
    os.write(wire(), frame({"id": 2, "error": error}))
    os._exit(0)
