"""A zip or folder becomes a staged submission, or is refused with one clear error.

May import: the standard library only.
"""

# The folder of the public checks in the students' handout, which runs on any system.
GRADER = "grader"
