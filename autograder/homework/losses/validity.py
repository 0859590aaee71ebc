"""The rules by which agreement with the expected loss proves nothing.

The expected loss is computed from the inputs that the student's code gave to the networks. So
agreement is no evidence if these were chosen to fit: one image in place of a batch, images that all
have the same logit, interpolates where the gradient penalty happens to be zero. Nor is it where d
was given no images or the networks are flat. The statistical rules refuse a correct solution, which
draws its inputs, with a probability of about 1e-10 at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from autograder.engine.judge.exceptions import Unusable
from autograder.homework.losses.recovered import PENALISED, LossCall
from autograder.homework.oracles import gan
from autograder.homework.problems.probe_networks import Array, Critic, Labels

# The probes give correct solutions gradients of 1e-2 and more, and gradient norms from 0.3 to 3.
_FLAT, _FLAT_CRITIC = 1e-6, 0.05
_FALSE_ALARM = 1e-10
# With fewer images or interpolates, chance may do the same.
_FEWEST = 5
# The logits of drawn images are never this near to each other, relative to their deviation.
_SAME_LOGITS = 1e-3
# With so many latents drawn for comparison, a difference of ranks among them is off by more than
# this with the probability above (Dvoretzky-Kiefer-Wolfowitz).
_COMPARED, _RANK_ERROR = 20_000, 0.05
_FEW_COMPARED = 500  # enough to estimate the deviation of logits
_AT_ONCE = 2000
_WEIGHTS = 1000  # points of a line between two images
_SOME = 4  # every fourth of them is enough for nearly all calls
_MAX_POINTS = 64  # more than any case's batch; further points of a record are ignored
# Nobody would notice if a penalty below this were missing from the loss.
_UNNOTICED = 0.01


def objection(
    call: LossCall, expected_gradient: Mapping[str, Array] | None = None
) -> Unusable | None:
    """Return why agreement with the expected value (and gradient) would prove nothing, if so."""
    return next(_objections(call, expected_gradient), None)


def _objections(
    call: LossCall, expected_gradient: Mapping[str, Array] | None
) -> Iterator[Unusable]:
    function, inputs = call.function, call.inputs
    if not call.is_complete:
        yield call.missing_interpolates()
    if inputs.d_saw_fake == 0:
        yield Unusable(f"{function} never gives d an image that g made.")
    if inputs.d_saw_real == 0 and function.endswith("_d"):
        yield Unusable(f"{function} never gives d a real image.")
    if function == PENALISED and float(call.norms.max()) < _FLAT_CRITIC:
        yield Unusable(
            f"{function} takes the gradient penalty only where the critic is flat.",
            numbers=f"The largest gradient norm there is {call.norms.max():.2g}.",
        )
    if not inputs.shows_whole_batch:
        yield Unusable(
            f"{function} gives d only {inputs.fakes_shown} of the images that g made for a batch "
            f"of {inputs.batch}; the mean is over all of them."
        )
    if has_chosen_images(call):
        yield Unusable(
            f"{function} selects generated images by d's output on them; the loss needs the images "
            "of z as they are drawn."
        )
    if function == PENALISED and has_chosen_slopes(call):
        yield Unusable(
            f"{function} selects the points between real and fake images by the critic's slope "
            "there; the penalty needs weights as they are drawn."
        )
    if expected_gradient and max(np.abs(a).max() for a in expected_gradient.values()) < _FLAT:
        network = "discriminator" if function.endswith("_d") else "generator"
        yield Unusable(
            f"{function} calls the networks where no gradient reaches the {network}, whatever the "
            "loss is."
        )


@lru_cache(maxsize=32)  # the checks of value and gradient have the same calls
def has_chosen_images(call: LossCall) -> bool:
    """Whether all generated images have nearly the same logit, and others would not.

    The others come from normal z with these latents' mean and deviation, column by column: the
    scale of z has its own check. n independent draws have ranks within r of each other with
    probability n r^(n - 1) at most.
    """
    inputs, critic = call.inputs, call.critic
    rows = inputs.fake_z.tolist()
    different = {tuple(row): i for i, row in reversed(list(enumerate(rows)))}
    first = [different[row] for row in sorted(different)]
    z, count = inputs.fake_z[first], len(first)
    if not isinstance(critic, Critic) or count < _FEWEST:
        return False
    labels = None if inputs.fake.labels is None else inputs.fake.labels[first]
    logits = _logits(call, critic, z, labels)
    low, high = float(logits.min()), float(logits.max())
    by_ranks = count * _RANK_ERROR ** (count - 1) < _FALSE_ALARM  # enough images for ranks
    compared = _COMPARED if by_ranks else _FEW_COMPARED

    def others() -> Iterator[Array]:
        """The logits of others, a part at a time."""
        rng = np.random.default_rng(0)
        for start in range(0, compared, _AT_ONCE):
            size = min(_AT_ONCE, compared - start)
            drawn = z.mean(axis=0) + z.std(axis=0) * rng.standard_normal((size, z.shape[1]))
            own = None if labels is None else labels[np.arange(start, start + size) % count]
            yield _logits(call, critic, drawn, own)

    # No deviation is above the bound, so most calls need no others for this.
    if high - low < _SAME_LOGITS * _bound_of_deviation(critic) and (
        high - low < _SAME_LOGITS * np.concatenate(list(others())).std()
    ):
        return True
    between = 0
    for part in others() if by_ranks else ():
        between += int(((low <= part) & (part < high)).sum())
        reach = between / compared + _RANK_ERROR
        if reach >= 1.0 or count * reach ** (count - 1) >= _FALSE_ALARM:
            return False  # more others can only make the reach greater
    return by_ranks


@lru_cache(maxsize=32)
def has_chosen_slopes(call: LossCall) -> bool:
    """Whether the penalty is smaller at the interpolates than at nearly all others of their lines.

    The share of a line that has a smaller penalty than a drawn point is uniform on [0, 1], so minus
    the sum of the shares' logarithms is a sum of exponential variables. With next to no points for
    a large batch, a penalty too small to be noticed is enough.

    Source: Fisher (1925), Statistical Methods for Research Workers, 21.1.
    """
    inputs, critic = call.inputs, call.critic
    if not isinstance(critic, Critic):
        return False
    penalties = (call.norms[:_MAX_POINTS] - 1.0) ** 2
    count = len(penalties)
    if count < min(_FEWEST, inputs.batch // 4):
        return bool(gan.LAMBDA * penalties.mean() < _UNNOTICED)
    if count < _FEWEST:
        return False
    pairs = inputs.pairs[:count]
    real = inputs.real.x[pairs[:, 0]]
    fake = call.case.generator.images(inputs.z, inputs.g_labels)[pairs[:, 1]]
    weights = (np.arange(_WEIGHTS) + 0.5) / _WEIGHTS
    for some in (weights[::_SOME], weights):
        others = (_norms_along(critic, real, fake - real, some) - 1.0) ** 2
        # Rounded up: a share is at most this small. Among some of the points only, it looks smaller
        # than it is; if that is no surprise, the share among all of them is none.
        smaller = (others <= penalties[:, None]).sum(axis=1)
        shares = np.minimum((2 + smaller) / (1 + _WEIGHTS), 1.0)
        if not _is_surprising(-float(np.log(shares).sum()), count):
            return False
    return True


def _is_surprising(total: float, count: int) -> bool:
    """Whether a sum of `count` exponential variables is nearly never that large."""
    if total <= count:  # no more than expected
        return False
    logarithms = np.cumsum([0.0, *(math.log(total / k) for k in range(1, count))])
    return bool(np.exp(logarithms - total).sum() < _FALSE_ALARM)


def _bound_of_deviation(critic: Critic) -> float:
    """What the standard deviation of any logits is below: half of their range."""
    most = np.abs(critic.w2).sum(axis=1)  # |tanh| < 1
    return float((critic.b2 + most).max() - (critic.b2 - most).min()) / 2


def _logits(call: LossCall, critic: Critic, z: Array, labels: Labels | None) -> Array:
    """The logits of the images of latents, computed without all their pixels."""
    generator = call.case.generator
    shifts = critic.w1 @ generator.bias + critic.b1
    linear = z @ (critic.w1 @ generator.weight).T + shifts
    if labels is None or generator.label_embedding is None:
        return np.asarray(np.tanh(linear) @ critic.w2[0] + critic.b2[0])
    linear = linear + (generator.label_embedding @ critic.w1.T)[labels]
    return np.asarray((np.tanh(linear) * critic.w2[labels]).sum(axis=1) + critic.b2[labels])


def _norms_along(critic: Critic, start: Array, direction: Array, weights: Array) -> Array:
    """Gradient norms of a critic without labels at start + weight direction: (n, weights)."""
    linear = (start @ critic.w1.T + critic.b1)[:, None, :]
    steps = (direction @ critic.w1.T)[:, None, :] * weights[None, :, None]
    slopes = critic.w2[0] * (1.0 - np.tanh(linear + steps) ** 2)  # (n, weights, K)
    squares = ((slopes @ (critic.w1 @ critic.w1.T)) * slopes).sum(axis=2)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))
