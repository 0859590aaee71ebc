"""This homework: everything that an instructor edits.

A check of the flow walks: `strategies` draws a case, `student` calls the function, `oracles.flow`
computes the correct answer, the engine compares both, and its diagnosis names the mistake with the
predictions in `mistakes.flow_predictions`. A check of a loss walks through `losses`; see there.
"""
