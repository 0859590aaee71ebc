"""What the checks of problems 2, 4 and 5 have in common: one loss function, one property."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from autograder.engine.judge.compare import close, difference
from autograder.engine.judge.verdicts import Advice, CheckFailed
from autograder.homework import losses, tolerances
from autograder.homework.gradients import gradient_error
from autograder.homework.losses import Situation
from autograder.homework.mistakes.diagnosis import Diagnosis
from autograder.homework.oracles import gan, statistics
from autograder.homework.oracles.flow import Array
from autograder.homework.recover import Labels, recover
from autograder.homework.strategies import N_CLASSES, GanCase
from autograder.homework.student import Call, GanLoss, Student

# How many calls of how large a batch the statistics are made of.
_MANY_LATENTS = (8, 128)
_MANY_LABELS = (8, 256)
_MANY_WEIGHTS = (64, 16)
_FEW_IMAGES = (4, 16)
_LOGIT = 100.0


def check_value(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    """The loss equals the handout's, computed from what the networks were given."""
    diagnosis.ask_if_failed(
        function, lambda: _observe_value(student, diagnosis, _another(case), function)
    )
    situation, loss, expected = _observe_value(student, diagnosis, case, function)
    if not close(loss.value, expected, tolerances.LOSS):
        shown = _what_d_was_given(situation)
        raise CheckFailed(
            f"{function} does not have the value that the handout states.",
            where=f"Smallest case found: {case}.",
            numbers="\n".join([difference("loss", loss.value, expected, tolerances.LOSS), *shown]),
        )


def check_gradient(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    """The loss's gradient by the network that it trains equals the handout's."""
    diagnosis.ask_if_failed(
        function, lambda: _observe_gradient(student, diagnosis, _another(case), function)
    )
    loss, expected = _observe_gradient(student, diagnosis, case, function)
    network = "discriminator" if function.endswith("_d") else "generator"
    if not loss.reached:
        raise CheckFailed(
            f"No gradient of {function} reaches the {network}, which it is to train.",
            where=f"Smallest case found: {case}.",
            hint="Look for detach(), no_grad(), .item() or .data on the way to the loss.",
        )
    error = gradient_error(loss.gradients, expected)
    if error:
        raise CheckFailed(
            f"The gradient of {function} by the {network}'s parameters is wrong.",
            where=f"Smallest case found: {case}.",
            numbers=error,
        )


def check_linear_critic(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """The WGAN-GP loss of a linear critic, whose gradient norm is the same everywhere."""
    function = "loss_wasserstein_gp_d"
    critic = case.linear_critic
    loss = student.gan_loss(function, case, critic=critic, gradient=False)
    situation = Situation(function, case, critic, recover(case, loss, function))
    expected = losses.linear_critic_value(situation)
    diagnosis.observe(f"{function}.linear", situation, loss.value, expected)
    if not close(loss.value, expected, tolerances.LOSS):
        norm = float(np.linalg.norm(critic.w))
        raise CheckFailed(
            "For a linear critic w x + b the gradient is w everywhere, so the penalty must be "
            "10 (||w|| - 1)^2.",
            where=f"Smallest case found: {case}, ||w|| = {norm:.4f}.",
            numbers=difference("loss", loss.value, expected, tolerances.LOSS),
        )


def check_latents(student: Student, function: str, *, conditional: bool) -> None:
    """z is standard normal and fresh for every example: each test errs with probability 1e-10."""
    batches = []
    for case, loss in _draws(student, function, conditional, _MANY_LATENTS, images=False):
        fresh = _distinct_calls(loss.g_calls)
        if not fresh:
            raise CheckFailed(f"{function} never calls g.")
        for rows in fresh:
            if statistics.distinct_rows(rows) < len(rows):
                raise CheckFailed(
                    f"{function} gives the generator the same z for several examples.",
                    numbers=f"{statistics.distinct_rows(rows)} different z in a batch of "
                    f"{len(rows)}, expected {len(rows)}.",
                )
        made = sum(len(rows) for rows in fresh)
        if made < case.batch:
            raise CheckFailed(
                f"{function} gives the generator fewer z than there are real images.",
                numbers=f"{made} for a batch of {case.batch}.",
            )
        batches += fresh
    z = np.concatenate(batches)
    if statistics.distinct_rows(z) < len(z):
        raise CheckFailed(
            f"{function} draws the same z again in later calls.",
            numbers=f"{statistics.distinct_rows(z)} different z in {len(batches)} batches of "
            f"together {len(z)} examples.",
        )
    _check_normal(function, z)


def _check_normal(function: str, z: Array) -> None:
    distance, bound = statistics.ks_distance_normal(z), statistics.dkw_bound(z.size)
    square = statistics.mean_square(z)
    low, high = statistics.mean_square_bounds(z.size)
    if statistics.distinct_fraction(z) < 0.5:
        raise CheckFailed(
            f"{function} gives the generator z whose entries repeat each other.",
            numbers=f"Only {statistics.distinct_fraction(z):.0%} of {z.size} entries differ.",
        )
    if distance > bound or not low <= square <= high:
        raise CheckFailed(
            f"The z that {function} gives the generator are not standard normal.",
            numbers=f"{z.size} numbers: mean {z.mean():.3f} (expected 0), mean square {square:.3f} "
            f"(expected 1, allowed {low:.3f} to {high:.3f}), distance from the normal "
            f"distribution {distance:.3f} (allowed {bound:.3f}); a right z is refused once in "
            "10^10 gradings.",
        )
    pairs = z.shape[1] * (z.shape[1] - 1) // 2
    correlation = statistics.largest_correlation(z)
    allowed = statistics.correlation_bound(len(z), pairs)
    if correlation > allowed:
        raise CheckFailed(
            f"The entries of the z that {function} gives the generator depend on each other.",
            numbers=f"Greatest correlation {correlation:.3f} (allowed {allowed:.3f}).",
        )


def check_labels(student: Student, function: str) -> None:
    """Labels stay with their images, and fake labels are the real ones or uniform over classes."""
    for case, loss in _draws(student, function, True, _FEW_IMAGES, images=True):
        seen = recover(case, loss, function)
        if function.endswith("_d") and (
            seen.real_labels_seen is None
            or not np.array_equal(seen.real_labels_seen, _labels(seen.real_labels_true))
        ):
            raise CheckFailed(
                f"{function} gives d real images with labels that are not theirs.",
                hint="A real image and its label must stay together.",
            )
        if seen.fake_labels_seen is None:
            raise CheckFailed(f"{function} never shows d the images that g made.")
        if not np.array_equal(seen.fake_labels_seen, _labels(seen.fake.labels)):
            raise CheckFailed(
                f"{function} shows d a fake image with another label than it was made for.",
                hint="Give g and d the very same labels for the fake images.",
            )
    drawn, own = [], True
    # y_real is drawn anew for every call: labels that are taken from it are then uniform too.
    for case, loss in _draws(student, function, True, _MANY_LABELS, images=False, anew=True):
        for call in loss.g_calls:
            made_for = _labels(call.labels)
            drawn.append(made_for)
            own = own and np.array_equal(made_for, case.labels)
    # The batches one by one too: one label for a whole batch is uniform in the long run.
    for labels in () if own else (np.concatenate(drawn), *drawn):
        distance = statistics.discrete_distance_uniform(labels, N_CLASSES)
        bound = statistics.dkw_bound(len(labels), statistics.FALSE_ALARM / (1 + len(drawn)))
        if distance <= bound:
            continue
        counts = np.bincount(labels, minlength=N_CLASSES)
        raise CheckFailed(
            f"The labels of the fake images in {function} are neither y_real nor uniform over the "
            "ten classes.",
            numbers=f"Drawn per class: {counts.tolist()}; distance from uniform {distance:.3f} "
            f"(allowed {bound:.3f}).",
        )


def check_interpolation(student: Student, function: str) -> None:
    """One weight per example, uniform on [0, 1]: the tests err with probability 1e-10 each."""
    pooled = []
    for case, loss in _draws(student, function, False, _MANY_WEIGHTS, images=True):
        situation = Situation(function, case, case.critic, recover(case, loss, function))
        seen = situation.evidence
        if len(seen.strange):
            raise CheckFailed(
                f"{function} gives d images that are no mixture a·fake + (1 - a)·real with one "
                "number a for the whole image.",
                numbers=f"{len(seen.strange)} of {len(seen.strange) + len(seen.between)} images "
                "beside the real and the fake ones lie off the line between a real and a fake.",
            )
        alpha = situation.alpha
        if 2 * len(alpha) < case.batch:
            # At a right weight, 1 in 200 is too near an end to be told from it.
            raise CheckFailed(
                "The interpolation weight is 0 or 1 for many of the examples.",
                numbers=f"{len(alpha)} of {case.batch} lie strictly between.",
            )
        if alpha.min() < -1e-3 or alpha.max() > 1 + 1e-3:
            raise CheckFailed(
                "The interpolation weights are not confined to [0, 1].",
                numbers=f"Found weights from {alpha.min():.3f} to {alpha.max():.3f}.",
            )
        if len(alpha) > 1 and statistics.distinct_rows(np.round(alpha, 5)[:, None]) == 1:
            raise CheckFailed(
                "All examples of a batch share one interpolation weight; each needs its own.",
                numbers=f"A batch of {len(alpha)} had the one weight {alpha[0]:.3f}.",
            )
        pooled.append(alpha)
    weights = np.concatenate(pooled)
    if statistics.distinct_fraction(np.round(weights, 5)) < 0.5:
        raise CheckFailed(
            f"{function} uses the same interpolation weights again in every call.",
            numbers=f"{len(pooled)} batches of together {len(weights)} weights had only "
            f"{len(np.unique(np.round(weights, 5)))} different ones.",
        )
    distance, bound = statistics.ks_distance_uniform(weights), statistics.dkw_bound(len(weights))
    if distance > bound:
        raise CheckFailed(
            "The interpolation weights are not uniform on [0, 1].",
            numbers=f"{len(weights)} weights: mean {weights.mean():.3f} (expected 0.5), distance "
            f"from uniform {distance:.3f} (allowed {bound:.3f}).",
        )


def advise_on_large_logits(
    student: Student, functions: Sequence[str], *, conditional: bool
) -> None:
    """Say which losses are infinite when the discriminator answers +-100 to everything."""
    bad = []
    for function in functions:
        for logit in (-_LOGIT, _LOGIT):
            case = GanCase(2, 3, 1.0, conditional, student.seed)
            critic = gan.LinearCritic(np.zeros(case.x_real.shape[1]), logit)
            if not np.isfinite(student.gan_loss_value(function, case, critic)):
                bad.append(function)
    if bad:
        raise Advice(
            f"{' and '.join(dict.fromkeys(bad))}: infinite or NaN when d answers a logit of "
            f"{_LOGIT:.0f} or -{_LOGIT:.0f}. log(sigmoid(h)) underflows there; a loss computed "
            "from the logits in one step does not. No points are lost for this."
        )


def flat(gradients: Mapping[str, Array], order: Mapping[str, Array]) -> Array:
    """Join gradients to one vector, in the order of the keys of `order`; zeros where missing."""
    return np.concatenate(
        [
            np.asarray(gradients.get(key, np.zeros_like(order[key])), dtype=np.float64).reshape(-1)
            for key in sorted(order)
        ]
    )


def _observe_value(
    student: Student, diagnosis: Diagnosis, case: GanCase, function: str
) -> tuple[Situation, GanLoss, float]:
    """Call the loss and note its value, so that a known mistake can be named; and the right one."""
    loss = student.gan_loss(function, case)
    situation = Situation(function, case, case.critic, recover(case, loss, function))
    try:
        right = losses.expected_value(situation)
    except CheckFailed:  # d saw no interpolates: there is no right value, but there may be a name
        diagnosis.observe(function, situation, loss.value, None)
        raise
    diagnosis.observe(function, situation, loss.value, right)
    return situation, loss, right


def _observe_gradient(
    student: Student, diagnosis: Diagnosis, case: GanCase, function: str
) -> tuple[GanLoss, dict[str, Array]]:
    """Call the loss and note its value and its gradient; return it and the right gradient."""
    situation, loss, _ = _observe_value(student, diagnosis, case, function)
    expected = losses.expected_gradient(situation)
    diagnosis.observe(
        f"{function}.gradient", situation, flat(loss.gradients, expected), flat(expected, expected)
    )
    return loss, expected


def _another(case: GanCase) -> GanCase:
    """A case of another size: on one size alone two mistakes may give the same."""
    return GanCase(5 if case.batch == 7 else 7, 5, 1.5, case.conditional, case.seed)


def _what_d_was_given(situation: Situation) -> Iterator[str]:
    """Say which images d was given that the loss is not about, or was not given."""
    seen, function = situation.evidence, situation.function
    others = len(seen.strange)
    if function != "loss_wasserstein_gp_d":
        others += len(seen.between)
    if others:
        yield f"d was given {others} images that are neither real ones nor made by g."
    if seen.d_saw_fake == 0:
        yield "d was given none of the images that g made."
    if seen.d_saw_real == 0 and function.endswith("_d"):
        yield "d was given none of the real images."


def _draws(
    student: Student,
    function: str,
    conditional: bool,
    size: tuple[int, int],
    *,
    images: bool,
    anew: bool = False,
) -> Iterator[tuple[GanCase, GanLoss]]:
    """Call the loss several times with other random numbers; `anew`: with another batch too."""
    calls, batch = size
    case = GanCase(batch, 6, 1.0, conditional, student.seed)
    for n in range(calls):
        seed = student.seed * 1000 + n
        if anew:
            case = GanCase(batch, 6, 1.0, conditional, seed)
        yield case, student.gan_loss(function, case, images=images, gradient=False, seed=seed)


def _distinct_calls(calls: Sequence[Call]) -> list[Array]:
    """The latents of every call, without those that were merely used again."""
    fresh: list[Array] = []
    for call in calls:
        if not any(np.array_equal(call.rows, earlier) for earlier in fresh):
            fresh.append(call.rows)
    return fresh


def _labels(labels: Labels | None) -> Labels:
    return np.zeros(0, np.int64) if labels is None else labels
