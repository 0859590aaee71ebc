"""What is posed to a submission: parameters, networks, images. Tells nothing of the solution."""
