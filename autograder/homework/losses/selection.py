"""Whether what a loss was computed from was drawn, or chosen so that a wrong loss looks right.

The expected loss is computed from what the networks were given, so an equality says nothing where
that was chosen to fit: where one image stands for a batch, where d answers the same to all of them,
or where the gradient penalty happens to be zero. A right solution, which draws, is refused with
probability 1e-10 at most.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autograder.engine.judge.verdicts import Unusable
from autograder.homework.losses.evidence import Evidence
from autograder.homework.losses.expected import Situation
from autograder.homework.problems.probe_networks import Array, Critic

_FALSE_ALARM = 1e-10
# Of fewer images or points chance may do the same.
_FEWEST = 5
# How far apart the logits of drawn images are, in terms of how much they vary.
_SAME = 1e-3
_SHUFFLED = 400  # images of shuffled latents
_RANK_ERROR = 0.05  # what a rank among them may be off
_WEIGHTS = 1000  # points of a line between two images


def require_drawn(situation: Situation) -> None:
    """Refuse evidence that was chosen.

    Raises:
        Unusable: d did not see the whole batch of images that g made, or saw next to no points
            between; or they were chosen by what d says of them.
    """
    function, seen, case = situation.function, situation.evidence, situation.case
    batch = len(case.x_real)
    require_whole_batch(seen, function, batch)
    if are_alike(situation):
        raise Unusable(
            f"{function} gives d generated images that are chosen by what d says of them; the "
            "loss is about images of z as they are drawn."
        )
    if function != "loss_wasserstein_gp_d":
        return
    # A penalty for half of the pairs has its own check; what is asked for here suffices to tell.
    if len(seen.between) < min(_FEWEST, batch // 4):
        raise Unusable(
            f"{function} takes the gradient penalty at {len(seen.between)} points for {batch} "
            "pairs of images; the mean is over one point for each."
        )
    if have_chosen_slopes(situation):
        raise Unusable(
            f"{function} gives d points between real and fake images that are chosen by the "
            "critic's slope there; the penalty is about weights as they are drawn."
        )


def require_whole_batch(seen: Evidence, function: str, batch: int) -> None:
    """Refuse a loss for which g makes a batch of images, of which d sees some only.

    Raises:
        Unusable: it is one.
    """
    shown = _different(seen.fake_z, seen.fake.labels)
    if shown < min(batch, _different(seen.z, seen.g_labels)):
        raise Unusable(
            f"{function} gives d only {shown} of the images that g made for a batch of {batch}; "
            "the mean is over all of them."
        )


def are_alike(situation: Situation) -> bool:
    """Whether d says nearly the same of all generated images, and of shuffled latents' does not.

    What is shuffled are the entries of each column, so that a wrong scale of z, which is another
    check's question, is there in both. n independent draws have ranks within r of each other with
    probability n r^(n - 1) at most.
    """
    seen, case = situation.evidence, situation.case
    z, labels = _first_of_each(seen.fake_z, seen.fake.labels)
    count = len(z)
    if count < _FEWEST:
        return False
    rng = np.random.default_rng(0)
    times = math.ceil(_SHUFFLED / count)
    mixed = np.concatenate([rng.permuted(z, axis=0) for _ in range(times)])
    theirs = None if labels is None else np.tile(labels, times)
    among = np.sort(situation.critic.logits(case.generator.images(mixed, theirs), theirs))
    logits = situation.critic.logits(case.generator.images(z, labels), labels)
    if np.ptp(logits) < _SAME * among.std():
        return True
    ranks = np.searchsorted(among, logits) / len(among)
    reach = min(1.0, float(np.ptp(ranks)) + _RANK_ERROR)
    return count * reach ** (count - 1) < _FALSE_ALARM


def have_chosen_slopes(situation: Situation) -> bool:
    """Whether the penalty is so small at all points as at hardly any other between their images.

    A point's share of the line that has a smaller penalty is uniform on [0, 1] for a weight that
    was drawn, so minus the sum of the shares' logarithms is beyond s with the probability that
    a sum of exponential variables is.

    Source: Fisher (1925), Statistical Methods for Research Workers, 21.1.
    """
    seen, critic = situation.evidence, situation.critic
    count = len(seen.between)
    if not isinstance(critic, Critic) or count < _FEWEST:
        return False
    real = seen.real.x[seen.pairs[:, 0]]
    fake = situation.case.generator.images(seen.z, seen.g_labels)[seen.pairs[:, 1]]
    weights = (np.arange(_WEIGHTS) + 0.5) / _WEIGHTS
    penalties = np.abs(_norms_along(critic, real, fake - real, weights) - 1.0)
    own = np.abs(situation.norms - 1.0)
    shares = (1 + (penalties <= own[:, None]).sum(axis=1)) / (1 + _WEIGHTS)
    surprise = -float(np.log(np.minimum(shares, 1.0)).sum())
    terms = np.cumsum([0.0, *(math.log(surprise / k) for k in range(1, count))]) if surprise else 0
    return bool(surprise and np.exp(terms - surprise).sum() < _FALSE_ALARM)


def _norms_along(critic: Critic, start: Array, way: Array, weights: Array) -> Array:
    """Gradient norms of a critic without labels at start + weight way: (n, number of weights)."""
    linear = (start @ critic.w1.T + critic.b1)[:, None, :]
    steps = (way @ critic.w1.T)[:, None, :] * weights[None, :, None]
    slopes = critic.w2[0] * (1.0 - np.tanh(linear + steps) ** 2)  # (n, weights, K)
    squares = np.einsum("nwk,kj,nwj->nw", slopes, critic.w1 @ critic.w1.T, slopes, optimize=True)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _different(z: Array, labels: NDArray[np.int64] | None) -> int:
    return len(_keys(z, labels))


def _first_of_each(
    z: Array, labels: NDArray[np.int64] | None
) -> tuple[Array, NDArray[np.int64] | None]:
    rows = list(_keys(z, labels).values())
    return z[rows], None if labels is None else labels[rows]


def _keys(z: Array, labels: NDArray[np.int64] | None) -> dict[tuple[bytes, int], int]:
    """Every pair of a latent and its label, with the row of its first."""
    told = np.zeros(len(z), np.int64) if labels is None else labels
    keys: dict[tuple[bytes, int], int] = {}
    for i, (row, label) in enumerate(zip(z, told.tolist(), strict=True)):
        keys.setdefault((row.tobytes(), label), i)
    return keys
