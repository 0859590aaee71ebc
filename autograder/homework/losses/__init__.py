"""A loss of problems 2, 4 and 5: from what the probes recorded to what it should have been."""
