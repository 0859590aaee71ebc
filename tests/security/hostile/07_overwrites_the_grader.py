"""Overwrites run_autograder, the checks and every file of the grader that it can find."""

# expected: N
# twin: half
import contextlib
import os
import sys

roots = {"/autograder", os.getcwd(), *sys.path, *(os.path.dirname(p) for p in sys.path)}
for root in roots:
    for name in ("run_autograder", "assignment.toml", "autograder/homework/assignment.toml"):
        with contextlib.suppress(OSError), open(os.path.join(root, name), "w") as file:
            file.write("CANARY-FORGED")
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None)
    if path:
        with contextlib.suppress(OSError), open(path, "a") as file:
            file.write("CANARY-FORGED")
