"""Says in its reply that it is not confined, and ends with the status of an error of ours."""

# expected: Z
# twin: right
# says: invalid reply|exited with status 1
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
    os.write(wire(), frame({"failed": "OSError: no Landlock"}))
    os._exit(1)
