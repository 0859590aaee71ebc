"""Leaves a daemon, forked twice and deaf to TERM, that goes on to write results.json."""

# expected: N
# twin: half
import contextlib
import json
import os
import signal
import time

FORGED = json.dumps({"score": 65, "tests": [], "output": "CANARY-FORGED"})
PLACES = (
    "results.json",
    "/autograder/results/results.json",
    "/tmp/results.json",
    "../results/results.json",
    "../../results/results.json",
)


def forge():
    for place in PLACES:
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(place) or ".", exist_ok=True)
        with contextlib.suppress(OSError), open(place, "w") as file:
            file.write(FORGED)


if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True:
            forge()
            time.sleep(0.01)
    os._exit(0)
