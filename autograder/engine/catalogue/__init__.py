"""Correct and incorrect solutions: the diagnosis names a mistake, the audit grades the grader.

May import: grading, judge.compare and judge.exceptions, sandbox.launch; Jinja2 for the page.
"""
