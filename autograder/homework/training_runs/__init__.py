"""Background runs: small trainings with the student's code, and advice on devices."""
