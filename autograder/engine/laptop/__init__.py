"""The public checks on a student's own machine, whatever system it runs."""
