"""What the equations of the handout say, in numpy float64."""
