"""Cannot be read by Python."""

# expected: ZZ
# twin: right
# says: Python cannot read codebase/gan.py, line [0-9]+: invalid syntax
def broken(:
    pass
