"""The trusted side: pytest's plugin runs the checks and decides the verdicts.

May import: numpy, pytest, hypothesis, grading's plan and ledger, submission's readers of text, and
from sandbox the wire and the limits only. Never torch, never a student's code.
"""
