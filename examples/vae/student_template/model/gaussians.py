"""Gaussians with independent entries. Everywhere, v is the variance, not the standard deviation."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sample_gaussian(m: Tensor, v: Tensor) -> Tensor:
    """Draw one sample from N(m, diag(v)) by reparameterisation.

    Gradients flow through the sample into m and v. Every entry has noise of its own, which is drawn
    again in each call.

    Args:
        m: mean, (B, D).
        v: variance, (B, D), positive.

    Returns:
        z: the sample, (B, D).
    """
    # >>> YOUR CODE HERE (1.1 sample_gaussian)
    raise NotImplementedError("1.1 sample_gaussian is not implemented yet")
    # <<< END OF YOUR CODE
    return z


def log_normal(x: Tensor, m: Tensor, v: Tensor) -> Tensor:
    """Compute log N(x; m, diag(v)), summed over the last dimension.

    v may be as small as 1e-6, and x may be far from m.

    Args:
        x: points, (..., D).
        m: mean, (..., D); broadcast to the shape of x in all dimensions but the last.
        v: variance, as m; positive.

    Returns:
        log_prob: (...), in nats.
    """
    # >>> YOUR CODE HERE (1.2 log_normal)
    raise NotImplementedError("1.2 log_normal is not implemented yet")
    # <<< END OF YOUR CODE
    return log_prob
