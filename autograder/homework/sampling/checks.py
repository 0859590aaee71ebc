"""Checks of what a loss samples: latents, labels and interpolation weights.

Every statistical test refuses a correct solution with a probability of 1e-10 at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from autograder.engine.judge import statistics
from autograder.engine.judge.exceptions import CheckFailed
from autograder.homework.losses.recovered import recover
from autograder.homework.problems.gan_case import BATCH_IN_TRAINING, N_CLASSES, GanCase
from autograder.homework.problems.probe_networks import Array, Labels
from autograder.homework.reply import ONLY_IN_TRAINING, NetworkCall
from autograder.homework.student import LossRecord, Student

# The number of calls and the size of each batch that the statistics use.
_MANY_LATENTS = (8, 128)
_SHOWN_LATENTS = (32, 32)  # the same where the images that d was given are recorded
_MANY_LABELS = (16, 256)
_MANY_WEIGHTS = (64, 16)
_FEW_IMAGES = (4, 16)
# One request sends networks and images once for several calls. They share the time limit of one
# call, so there are not too many for a solution that handles images one by one.
_IMAGES_AT_ONCE = 512
# Among 1024 uniform weights, more than a dozen agree in five digits once in 10^30 gradings.
_DIGITS, _MAX_EQUAL = 5, 12
# An interpolate whose weight lies within 1e-5 of 0 or 1 may look like the image itself.
_REQUIRED_SHARE = 0.95


def check_latents(student: Student, function: str, *, conditional: bool) -> None:
    """Check that z is standard normal and fresh for every example."""
    size = (1, _SHOWN_LATENTS[1])
    case, record = next(_calls(student, function, conditional, size, images=True))
    inputs = recover(function, case, record).inputs
    # Only the z of images that d was given matter. A loss that shows d less than a batch fails its
    # own checks; here all its z are tested.
    only_shown = inputs.d_saw_fake > 0 and inputs.shows_whole_batch and not inputs.z_shown.all()
    _check_latents(student, function, conditional, only_shown=only_shown)


def _check_latents(student: Student, function: str, conditional: bool, *, only_shown: bool) -> None:
    batches, states = [], set()
    size = _SHOWN_LATENTS if only_shown else _MANY_LATENTS
    for case, record in _calls(student, function, conditional, size, images=only_shown):
        states.add(record.next_random)
        fresh = list({call.rows.tobytes(): call.rows for call in record.g_calls}.values())
        if only_shown:
            inputs = recover(function, case, record).inputs
            fresh = [np.unique(inputs.z[inputs.z_shown], axis=0)]
        if not fresh:
            raise CheckFailed(f"{function} never calls g.")
        for rows in fresh:
            if statistics.distinct_rows(rows) < len(rows):
                raise CheckFailed(
                    f"{function} gives the generator the same z for several examples.",
                    numbers=f"{statistics.distinct_rows(rows)} different z in a batch of "
                    f"{len(rows)}, expected {len(rows)}.",
                )
        count = sum(len(rows) for rows in fresh)
        if count < case.batch:
            raise CheckFailed(
                f"{function} gives the generator fewer z than there are real images.",
                numbers=f"{count} for a batch of {case.batch}."
                + ONLY_IN_TRAINING * (count == BATCH_IN_TRAINING),
            )
        batches += fresh
    if len(states) == 1 and len(batches) > 1:
        raise CheckFailed(
            f"{function} seeds the random numbers itself: every later random number, the next "
            "batch's z included, is the same after every call.",
            hint="Remove torch.manual_seed() from the loss.",
        )
    z = np.concatenate(batches)
    if statistics.distinct_rows(z) < len(z):
        raise CheckFailed(
            f"{function} draws the same z again in later calls.",
            numbers=f"{statistics.distinct_rows(z)} different z among {len(z)} examples in "
            f"{len(batches)} batches.",
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
            f"distribution {distance:.3f} (allowed {bound:.3f}). A correct z fails once in "
            "10^10 gradings.",
        )
    pairs = z.shape[1] * (z.shape[1] - 1) // 2
    correlation = statistics.largest_correlation(z)
    allowed = statistics.correlation_bound(len(z), pairs)
    if correlation > allowed:
        raise CheckFailed(
            f"The entries of the z that {function} gives the generator depend on each other.",
            numbers=f"Largest correlation {correlation:.3f} (allowed {allowed:.3f}).",
        )


def check_labels(student: Student, function: str) -> None:
    """Check that labels stay with their images, and that fake labels are real ones or uniform."""
    for case, record in _calls(student, function, True, _FEW_IMAGES, images=True):
        call = recover(function, case, record)
        if call.inputs.fake_labels_seen is None:
            raise CheckFailed(f"{function} never shows d the images that g made.")
        if call.wrong_labels:
            raise CheckFailed(
                call.wrong_labels, hint="Keep an image and its label together in every call."
            )
    drawn = []
    for case, record in _calls(student, function, True, _MANY_LABELS, images=False):
        calls = _distinct_calls(record.g_calls)
        if calls:
            drawn.append(np.concatenate([_or_empty(call.labels) for call in calls]))
        real_shares = _cumulative_shares(case.labels)
    if not drawn:
        raise CheckFailed(f"{function} never calls g.")
    # Each call alone too: one label for a whole batch is uniform in the long run.
    for labels in (np.concatenate(drawn), *drawn):
        allowed = statistics.FALSE_ALARM / (1 + len(drawn))
        bound = statistics.dkw_bound(len(labels), allowed)
        from_uniform = statistics.discrete_distance_uniform(labels, N_CLASSES)
        # y_real itself, in another order, or drawn from it.
        from_real = float(np.abs(_cumulative_shares(labels) - real_shares).max())
        # Class by class too: a class that never occurs stands out there.
        counts = np.bincount(labels, minlength=N_CLASSES)
        uniform, real = np.full(N_CLASSES, 1 / N_CLASSES), np.diff(real_shares, prepend=0.0)
        fits_uniform = from_uniform <= bound and statistics.fits(counts, uniform, allowed)
        fits_real = from_real <= bound and statistics.fits(counts, real, allowed)
        if not fits_uniform and not fits_real:
            if from_uniform <= bound and all(np.array_equal(drawn[0], each) for each in drawn):
                raise CheckFailed(
                    f"The labels of the fake images in {function} are the same in every call, and "
                    "are not those of the real images.",
                    numbers=f"The first ten: {drawn[0][:10].tolist()}.",
                    hint="Use y_real, or draw new labels in every call, uniform over the ten "
                    "classes.",
                )
            raise CheckFailed(
                f"The labels of the fake images in {function} are neither y_real nor uniform over "
                "the ten classes.",
                numbers=f"Drawn per class: {counts.tolist()}; uniform would be about "
                f"{len(labels) / N_CLASSES:.0f} each.",
            )


def check_interpolation(student: Student, function: str) -> None:
    """Check that every example has its own interpolation weight, uniform on [0, 1]."""
    pooled = []
    for case, record in _calls(student, function, False, _MANY_WEIGHTS, images=True):
        call = recover(function, case, record)
        alpha, off_line = call.inputs.alpha, len(call.inputs.unmatched)
        if off_line:
            raise CheckFailed(
                call.no_mixture,
                numbers=f"{off_line} of {off_line + len(alpha)} images, real and fake ones not "
                "counted, lie off the line between a real and a fake image.",
            )
        if len(alpha) == 0:
            raise call.missing_interpolates()
        if alpha.min() < -1e-3 or alpha.max() > 1 + 1e-3:
            raise CheckFailed(
                "The interpolation weights are not confined to [0, 1].",
                numbers=f"Found weights from {alpha.min():.3f} to {alpha.max():.3f}.",
            )
        if len(alpha) > 1 and statistics.distinct_rows(np.round(alpha, _DIGITS)[:, None]) == 1:
            raise CheckFailed(
                "All examples of a batch share one interpolation weight; each needs its own.",
                numbers=f"All {len(alpha)} weights of a batch are {alpha[0]:.3f}.",
            )
        pooled.append(alpha)
    weights = np.concatenate(pooled)
    values, counts = statistics.counted(np.round(weights, _DIGITS))
    piled = values[counts > _MAX_EQUAL]
    if 1 <= len(piled) <= 2:
        several = int(counts[counts > _MAX_EQUAL].sum())
        raise CheckFailed(
            "Many interpolation weights have the very same value: not uniform on [0, 1].",
            numbers=f"{several} of {len(weights)} weights are "
            f"{' or '.join(f'{value:.3f}' for value in piled + 0.0)}.",
            hint="Do not clamp or round the weights.",
        )
    pairs = math.prod(_MANY_WEIGHTS)
    if len(weights) < _REQUIRED_SHARE * pairs:
        raise CheckFailed(
            f"{function} takes the gradient penalty for some of the pairs of images only.",
            numbers=f"d was given {len(weights)} points between real and fake images for {pairs} "
            "pairs, expected one for each.",
        )
    if len(values) < 0.75 * len(weights):
        raise CheckFailed(
            "The interpolation weights repeat each other; every example needs its own, drawn again "
            "in every call.",
            numbers=f"Only {len(values)} of {len(weights)} weights in {len(pooled)} batches are "
            "different.",
        )
    gap = statistics.end_gap(len(weights))
    if weights.min() > gap or weights.max() < 1 - gap:
        raise CheckFailed(
            "The interpolation weights do not reach both ends of [0, 1]: not uniform on [0, 1].",
            numbers=f"{len(weights)} weights lie between {weights.min():.3f} and "
            f"{weights.max():.3f}; expected below {gap:.3f} and above {1 - gap:.3f}.",
        )
    distance, bound = statistics.ks_distance_uniform(weights), statistics.dkw_bound(len(weights))
    if distance > bound:
        raise CheckFailed(
            "The interpolation weights are not uniform on [0, 1].",
            numbers=f"{len(weights)} weights: mean {weights.mean():.3f} (expected 0.5), distance "
            f"from uniform {distance:.3f} (allowed {bound:.3f}).",
        )


def _calls(
    student: Student, function: str, conditional: bool, size: tuple[int, int], *, images: bool
) -> Iterator[tuple[GanCase, LossRecord]]:
    """Call the loss several times on one problem, with different random numbers every time."""
    calls, batch = size
    case = GanCase(batch, 6, 1.0, conditional, student.seed)
    seeds = [(student.seed * 1000 + n) % 2**32 for n in range(calls)]
    at_once = max(1, _IMAGES_AT_ONCE // batch)
    for start in range(0, calls, at_once):
        some = seeds[start : start + at_once]
        for record in student.gan_losses(function, case, some, images=images):
            yield case, record


def _distinct_calls(calls: Sequence[NetworkCall]) -> list[NetworkCall]:
    """The calls of g, each pair of latents and labels once."""
    first: dict[tuple[bytes, bytes], NetworkCall] = {}
    for call in calls:
        first.setdefault((call.rows.tobytes(), _or_empty(call.labels).tobytes()), call)
    return list(first.values())


def _cumulative_shares(labels: Labels) -> Array:
    """The share of labels up to 0, up to 1, ..., up to 9."""
    ordered = np.sort(labels)
    return np.searchsorted(ordered, np.arange(N_CLASSES), side="right") / len(ordered)


def _or_empty(labels: Labels | None) -> Labels:
    """The labels, or an empty array."""
    return np.zeros(0, np.int64) if labels is None else labels
