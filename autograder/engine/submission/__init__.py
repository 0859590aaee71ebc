"""A zip or folder becomes a staged submission, or is refused with one clear error.

May import: the standard library only.
"""
