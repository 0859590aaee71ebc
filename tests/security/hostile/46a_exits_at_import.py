"""Leaves with status 0 when it is imported."""

# expected: ZZ
# twin: right
# says: raised SystemExit
import sys

sys.exit(0)
