"""Homework: probabilities from scores."""

# BEGIN REFERENCE ONLY
# Students get this file without the lines between such markers; `template` cuts them. It replaces
# the lines of a SOLUTION by a stub. The stub's title is the part's number and the function's name.
# END REFERENCE ONLY
import torch


def softmax(x: torch.Tensor) -> torch.Tensor:
    """Return the softmax of each row.

    Args:
        x: (B, K), float32.

    Returns:
        exp(x_k) / sum_j exp(x_j), of the same shape; each row sums to 1.
    """
    # BEGIN SOLUTION 1.1 softmax
    powers = torch.exp(x - x.max(dim=1, keepdim=True).values)
    return powers / powers.sum(dim=1, keepdim=True)
    # END SOLUTION
