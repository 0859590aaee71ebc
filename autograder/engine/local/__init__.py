"""The students' pytest plugin: runs the public checks in pytest's own process, on any system.

May import: judge, results, grading's plan and ledger,
release.fingerprint, sandbox.experiment. Nothing POSIX-only.
"""
