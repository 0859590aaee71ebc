"""A whole class: its export read, graded, kept, compared with an earlier time, and shown."""
