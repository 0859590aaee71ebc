"""Hands in a database of hypothesis, and loads a profile of its own."""

# expected: N
# twin: half
# file: .hypothesis/examples/x = rubbish
import contextlib
import os

os.makedirs(".hypothesis/examples", exist_ok=True)
with contextlib.suppress(Exception):
    import hypothesis

    hypothesis.settings.register_profile("judge", max_examples=1)
    hypothesis.settings.load_profile("judge")
