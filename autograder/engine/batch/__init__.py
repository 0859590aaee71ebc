"""A whole class: read its export, grade it in parallel, store, compare and show the results.

May import: grading, submission, results, sandbox.launch and release.archive; Jinja2 and PyYAML,
and Dask in `cluster` only.
"""
