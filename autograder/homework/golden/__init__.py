"""Fixed problems with known answers: public checks that need no oracle."""
