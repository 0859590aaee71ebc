"""What goes on beside the checks comes second to them."""

from __future__ import annotations

import os

# The checks wait for each other and are the longer way; a run beside them is waited for at the end.
_NICENESS = 5


def step_back() -> None:
    """Leave the processor to the workers that a check waits for; Windows has no such call."""
    if hasattr(os, "nice"):
        os.nice(max(0, _NICENESS - os.nice(0)))  # once, where a worker serves several checks
