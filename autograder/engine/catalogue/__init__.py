"""Correct and incorrect solutions: the diagnosis names a mistake, the audit grades the grader.

May import: grading, judge.compare and judge.exceptions, batch.pool and batch.payload to grade,
batch.rendering and Jinja2 for the page.
"""
