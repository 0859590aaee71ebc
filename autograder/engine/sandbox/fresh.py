"""The state of a process that has just started, for one that has run a student's code before.

A check must not depend on what an earlier one left behind: a module's variables, or settings of
torch that a function changed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import torch

_DISTRIBUTION: Any = torch.distributions.Distribution


@dataclass(frozen=True)
class Settings:
    """Settings of Python and torch that a student's code may change by accident."""

    path: tuple[str, ...]
    threads: int
    dtype: torch.dtype
    deterministic: bool
    validates: bool

    @staticmethod
    def now() -> Settings:
        """Return the settings of this process."""
        return Settings(
            tuple(sys.path),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(),
            _DISTRIBUTION._validate_args,
        )

    def restore(self) -> None:
        """Set them again; gradients are on and new tensors on the CPU."""
        sys.path[:] = self.path
        torch.set_num_threads(self.threads)
        torch.set_default_dtype(self.dtype)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)
        torch.autograd.set_detect_anomaly(False)
        if torch.are_deterministic_algorithms_enabled() != self.deterministic:
            torch.use_deterministic_algorithms(self.deterministic)  # it imports for seconds
        _DISTRIBUTION.set_default_validate_args(self.validates)
