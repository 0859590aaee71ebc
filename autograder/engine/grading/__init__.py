"""One grading from start to end: the plan, the points, the ledger, the processes and their log.

May import: submission, sandbox, results, release.manifest and release.fingerprint; judge.job.
Standard library only: results are written whatever else is broken.
"""
