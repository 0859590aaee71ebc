"""How good generated images are, as a classifier of real images sees them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class InceptionScore:
    """Mean and standard deviation over parts of the images; between 1 and the classes' number."""

    mean: float
    deviation: float


def inception_score(probabilities: Tensor, *, parts: int = 10) -> InceptionScore:
    """Return exp E_x KL(p(y|x) || p(y)), over each of several parts of the images.

    It is 1 when all images look alike to the classifier, and the number of classes when it is
    certain of every image and every class is equally frequent.

    Args:
        probabilities: (N, C), rows p(y|x) that sum to 1; N a multiple of `parts`.
        parts: how many parts the rows are cut into.

    Source: Salimans et al. 2016, arXiv:1606.03498, section 4, with this classifier in place of
        the Inception network. Values compare with each other, not with published ones.
    """
    if len(probabilities) % parts:
        raise ValueError(f"{len(probabilities)} rows cannot be cut into {parts} equal parts")
    split = probabilities.reshape(parts, -1, probabilities.shape[1])  # (parts, N / parts, C)
    marginal = split.mean(dim=1, keepdim=True)
    # xlogy(p, p): what has probability zero contributes nothing.
    divergence = torch.special.xlogy(split, split) - torch.special.xlogy(split, marginal)
    scores = divergence.sum(dim=2).mean(dim=1).exp()  # (parts,)
    return InceptionScore(float(scores.mean()), float(scores.std(correction=0)))


def confusion_matrix(intended: Tensor, seen: Tensor, classes: int) -> Tensor:
    """Return the share of images of each intended label that were seen as each label.

    Args:
        intended: (N,) int64.
        seen: (N,) int64.
        classes: C.

    Returns:
        (C, C), float64; row i sums to 1 if label i was intended at all.
    """
    counts = torch.bincount(intended * classes + seen, minlength=classes**2)
    table = counts.reshape(classes, classes).double()
    return table / table.sum(dim=1, keepdim=True).clamp(min=1)


def generate(g: nn.Module, dim_z: int, count: int, labels: Tensor | None = None) -> Tensor:
    """Draw images from a generator in evaluation mode, as the drivers draw their figures.

    Args:
        g: called as g(z), or as g(z, y) where there are labels.
        dim_z: size of the latent vector.
        count: how many images.
        labels: (count,) int64.

    Returns:
        (count, 1, 28, 28), cut off at -1 and 1 as in a picture.
    """
    g.eval()
    images = []
    with torch.no_grad():
        for first in range(0, count, 1000):
            rows = slice(first, min(first + 1000, count))
            z = torch.randn(rows.stop - rows.start, dim_z)
            images.append(g(z) if labels is None else g(z, labels[rows]))
    return torch.cat(images).clamp(-1, 1)
