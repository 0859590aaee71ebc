"""The trusted side: a pytest plugin runs the checks and decides their verdicts.

May import: numpy, pytest, hypothesis, grading's plan and ledger, submission's readers of text, and
from sandbox the wire and the limits only. Never torch, never a student's code.

    process      __main__ (one grading), warm (forks many), job (its input)
    plugin       plugin, base_plugin (shared with `local`), background
    cases        drawn_cases (no library draws them), hypothesis_profile
    a call       calls (interface), caller (hangs, budgets) -> launcher, worker, control, clock
    an error     student_errors -> newer_python, syntax_messages, trusted_messages
    a verdict    exceptions, compare -> conclusions -> requirements -> grading's ledger
"""
