"""Answers with a header of 200,000 tensors, which would take seconds to parse."""

# expected: Z
# twin: right
# says: own header of [0-9]+ bytes is too long
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


ENTRIES = ",".join(f'"t{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(200_000))


def loss_nonsaturating_d(g, d, x_real, *, device):
    text = ("{" + ENTRIES + "}").encode()
    body = struct.pack("<Q", len(text)) + text
    data = memoryview(frame({"id": request(), "values": {}}, body))
    while data:
        data = data[os.write(wire(), data) :]
