"""Known misconceptions: what each would have answered, and the sentence that names it."""
