"""Ends its process with status 0 when it is imported."""

# expected: ZZ
# twin: right
# says: ended while codebase/gan.py was imported: it exited with status 0
import os

os._exit(0)
