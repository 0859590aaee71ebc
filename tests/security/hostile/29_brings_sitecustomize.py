"""Hands in sitecustomize.py, usercustomize.py and a .pth file."""

# expected: N
# twin: half
# file: sitecustomize.py = raise SystemError
# file: usercustomize.py = raise SystemError
# file: codebase/sitecustomize.py = raise SystemError
# file: evil.pth = import os; os._exit(1)

