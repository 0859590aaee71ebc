"""Grades any homework and knows none: each room says what it does and what it may import."""
