"""The untrusted side: confined processes that run a student's code, and the wire to them.

May import: torch, and no other room of the engine.
"""
