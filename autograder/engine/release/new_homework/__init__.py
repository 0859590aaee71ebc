"""The homework new_homework: docs/authors.md explains each file."""
