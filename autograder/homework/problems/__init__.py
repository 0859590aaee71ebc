"""The inputs of a submission: parameters, networks, images. No part of the solution."""
