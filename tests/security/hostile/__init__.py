"""Hostile submissions, a file each: the text is appended to the twin's `codebase/gan.py`.

The comments at the top of a file say what must come of it:

    expected  N: as the twin · Z: 2.2.1 and its like get 0, the others keep theirs · ZZ: all of the
              file's checks get 0 · F: full marks
    twin      half: loss_nonsaturating_d gives twice the right value · right: the reference
    says      a regular expression, found in what the first check says
    only      the checks that are run, by number (without it 2.2.1 and 2.2.3)
    file      one more file of the submission, and its text
"""
