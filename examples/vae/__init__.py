"""A second homework: three functions of a variational autoencoder.

It needs nothing of `autograder/homework`. A check draws a case (`problems`), calls the student's
function with it and compares the answer with the equations in `oracles`. The student's noise is
recovered from the sample, so the expected numbers are exact whatever generator drew it.
"""
