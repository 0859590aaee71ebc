"""A fixture for this folder."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def seed() -> None:
    """Every test sees the same random numbers, whatever ran before it."""
    torch.manual_seed(236)
