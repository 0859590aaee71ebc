"""Tests of a real zygote and its workers: whatever student code does, it costs its own worker."""
