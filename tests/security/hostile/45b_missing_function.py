"""The function is not there."""

# expected: Z
# twin: right
# says: codebase/gan.py does not define loss_nonsaturating_d
del loss_nonsaturating_d
