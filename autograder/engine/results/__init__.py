"""The results of a grading: Gradescope's JSON, and the texts that students and staff read.

May import: grading's ledger and points. Standard library only.
"""
