"""What leaves a grading: Gradescope's JSON and the texts that all readers see. Standard library."""
