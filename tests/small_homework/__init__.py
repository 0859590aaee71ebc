"""A homework with one experiment, for the engine's own tests: it knows nothing of flows or GANs."""
