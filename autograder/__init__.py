"""An autograder for the flow and GAN homework that never runs student code where it grades."""
