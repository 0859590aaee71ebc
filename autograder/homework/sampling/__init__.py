"""What a loss draws, and whether its distribution is right."""
