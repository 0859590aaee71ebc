"""Never finishes its import."""

# expected: ZZ
# twin: right
# says: codebase/gan.py did not finish when it was imported|not run again
while True:
    pass
