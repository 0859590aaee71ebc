"""Fixed problems and their answers: public checks without an oracle."""
