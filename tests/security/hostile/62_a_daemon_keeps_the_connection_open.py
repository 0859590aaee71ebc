"""Leaves a daemon that holds the connection to the judge, and goes on."""

# expected: N
# twin: half
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
