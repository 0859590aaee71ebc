"""The equations of the assignment in numpy float64."""
