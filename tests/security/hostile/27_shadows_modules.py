"""Hands in modules with the names of ours and of libraries."""

# expected: N
# twin: half
# file: torch.py = raise SystemError
# file: json.py = raise SystemError
# file: autograder/__init__.py = raise SystemError
# file: codebase/numpy.py = raise SystemError
# file: codebase/random.py = raise SystemError

