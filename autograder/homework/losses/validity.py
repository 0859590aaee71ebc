"""Whether what a loss was computed from was drawn, or chosen so that a wrong loss looks right.

The expected loss is computed from what the networks were given, so an equality says nothing where
that was chosen to fit: where one image stands for a batch, where d answers the same to all of them,
or where the gradient penalty happens to be zero. Each test refuses a right solution, which draws,
with a probability of about 1e-10 at most.
"""

from __future__ import annotations

import math

import numpy as np

from autograder.engine.judge.exceptions import Unusable
from autograder.homework.losses.expected import LossCall
from autograder.homework.oracles import gan
from autograder.homework.problems.probe_networks import Array, Critic, Labels

_FALSE_ALARM = 1e-10
# Of fewer images or points chance may do the same.
_FEWEST = 5
# How near to each other the logits of drawn images never are, in terms of how much they vary.
_SAME = 1e-3
# So many latents are drawn for comparison that a difference of ranks among them is off by less, but
# with the probability above (Dvoretzky-Kiefer-Wolfowitz).
_COMPARED, _RANK_ERROR = 20_000, 0.05
_FEW_COMPARED = 500  # for how much logits vary, these will do
_WEIGHTS = 1000  # points of a line between two images
_MOST_POINTS = 64  # more than any case's batch: what a record holds beyond is not looked at
# A penalty below this could be left out of the loss without being noticed.
_UNNOTICED = 0.01


def require_drawn(situation: LossCall) -> None:
    """Refuse evidence that was chosen.

    Raises:
        Unusable: of a batch of images that g made, d saw a part; or images, or points between,
            were chosen by what d says of them.
    """
    function, seen, batch = situation.function, situation.evidence, len(situation.case.x_real)
    shown, wanted = seen.shown_of_batch(batch)
    if shown < wanted:
        raise Unusable(
            f"{function} gives d only {shown} of the images that g made for a batch of {batch}; "
            "the mean is over all of them."
        )
    if are_alike(situation):
        raise Unusable(
            f"{function} gives d generated images that are chosen by what d says of them; the "
            "loss is about images of z as they are drawn."
        )
    if function == "loss_wasserstein_gp_d" and have_chosen_slopes(situation):
        raise Unusable(
            f"{function} gives d points between real and fake images that are chosen by the "
            "critic's slope there; the penalty is about weights as they are drawn."
        )


def are_alike(situation: LossCall) -> bool:
    """Whether d says nearly the same of all generated images, and would not of others.

    The others are those of normal z with the mean and deviation that these have, column by column:
    a wrong scale is another check's question. n independent draws have ranks within r of each other
    with probability n r^(n - 1) at most.
    """
    seen, critic = situation.evidence, situation.critic
    z, first = np.unique(seen.fake_z, axis=0, return_index=True)
    count = len(z)
    if not isinstance(critic, Critic) or count < _FEWEST:
        return False
    labels = None if seen.fake.labels is None else seen.fake.labels[first]
    by_ranks = count * _RANK_ERROR ** (count - 1) < _FALSE_ALARM  # so many that ranks can tell
    compared = _COMPARED if by_ranks else _FEW_COMPARED
    rng = np.random.default_rng(0)
    others = z.mean(axis=0) + z.std(axis=0) * rng.standard_normal((compared, z.shape[1]))
    theirs = None if labels is None else np.resize(labels, compared)
    among = np.sort(_logits(situation, critic, others, theirs))
    logits = _logits(situation, critic, z, labels)
    if np.ptp(logits) < _SAME * among.std():
        return True
    reach = float(np.ptp(np.searchsorted(among, logits))) / compared + _RANK_ERROR
    return by_ranks and reach < 1.0 and count * reach ** (count - 1) < _FALSE_ALARM


def have_chosen_slopes(situation: LossCall) -> bool:
    """Whether the penalty is so small at all points as at hardly any other between their images.

    A point's share of the line that has a smaller penalty is uniform on [0, 1] for a weight that
    was drawn, so minus the sum of the shares' logarithms is beyond s with the probability that a
    sum of exponential variables is. Where next to no points were given for a large batch, that the
    penalty would not be noticed says enough.

    Source: Fisher (1925), Statistical Methods for Research Workers, 21.1.
    """
    seen, critic = situation.evidence, situation.critic
    if not isinstance(critic, Critic):
        return False
    penalties = (situation.norms[:_MOST_POINTS] - 1.0) ** 2
    count = len(penalties)
    if count < min(_FEWEST, len(situation.case.x_real) // 4):
        return bool(gan.LAMBDA * penalties.mean() < _UNNOTICED)
    if count < _FEWEST:
        return False
    places = seen.pairs[:count]
    real = seen.real.x[places[:, 0]]
    fake = situation.case.generator.images(seen.z, seen.g_labels)[places[:, 1]]
    weights = (np.arange(_WEIGHTS) + 0.5) / _WEIGHTS
    others = (_norms_along(critic, real, fake - real, weights) - 1.0) ** 2
    # Rounded up: a share says at most how near to the smallest penalties a point is.
    smaller = (others <= penalties[:, None]).sum(axis=1)
    shares = np.minimum((2 + smaller) / (1 + _WEIGHTS), 1.0)
    surprise = -float(np.log(shares).sum())
    if surprise <= count:  # what is to be expected, or less
        return False
    logarithms = np.cumsum([0.0, *(math.log(surprise / k) for k in range(1, count))])
    return bool(np.exp(logarithms - surprise).sum() < _FALSE_ALARM)


def _logits(situation: LossCall, critic: Critic, z: Array, labels: Labels | None) -> Array:
    """What d says of the images of latents, without making all their pixels."""
    generator = situation.case.generator
    shifts = critic.w1 @ generator.bias + critic.b1
    linear = z @ (critic.w1 @ generator.weight).T + shifts
    if labels is None or generator.label_embedding is None:
        return np.asarray(np.tanh(linear) @ critic.w2[0] + critic.b2[0])
    linear = linear + (generator.label_embedding @ critic.w1.T)[labels]
    return np.asarray((np.tanh(linear) * critic.w2[labels]).sum(axis=1) + critic.b2[labels])


def _norms_along(critic: Critic, start: Array, way: Array, weights: Array) -> Array:
    """Gradient norms of a critic without labels at start + weight way: (n, number of weights)."""
    linear = (start @ critic.w1.T + critic.b1)[:, None, :]
    steps = (way @ critic.w1.T)[:, None, :] * weights[None, :, None]
    slopes = critic.w2[0] * (1.0 - np.tanh(linear + steps) ** 2)  # (n, weights, K)
    squares = np.einsum("nwk,kj,nwj->nw", slopes, critic.w1 @ critic.w1.T, slopes, optimize=True)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))
