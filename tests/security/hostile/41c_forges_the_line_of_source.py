"""Sends an error whose file, line and source are of its own making."""

# expected: Z
# twin: right
# says: exited with status 0
import json
import os
import stat
import struct
import sys


def wire():
    """The descriptor of the connection to the judge."""
    for number in range(256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                return number
        except OSError:
            continue
    raise OSError("no socket")


def request():
    """The number of the request that is being answered."""
    frame = sys._getframe()
    while "number" not in frame.f_locals or frame.f_code.co_name != "_answer":
        frame = frame.f_back
    return frame.f_locals["number"]


def frame(header, body=b""):
    text = json.dumps(header).encode()
    return struct.pack(">4sII", b"AGF1", len(text), len(body)) + text + body



def loss_nonsaturating_d(g, d, x_real, *, device):
    error = {"type": "CANARY-PLANTED", "message": "CANARY-PLANTED", "misuse": True}
    error |= {"file": "codebase/CANARY-PLANTED.py", "line": 1, "source": "CANARY-PLANTED"}
    os.write(wire(), frame({"id": request(), "error": error}))
    os._exit(0)
