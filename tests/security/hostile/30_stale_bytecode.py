"""Hands in compiled files that say something else than the source."""

# expected: N
# twin: half
# file: codebase/__pycache__/gan.cpython-311.pyc = rubbish
# file: codebase/gan.pyc = rubbish

