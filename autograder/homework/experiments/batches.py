"""Find a batch size that is hard-coded in a loss, and numbers per image in a shape for pixels.

A loss that fails is called again, on a batch of the size that training uses or that the exception
mentions. If that works, the loss failed because of the size of its batch. A size that is also a
side of the images says something else: torch combines a tensor of shape (B,) with images
(B, 1, 28, 28) only if B is 28, because it aligns the last dimensions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from torch import Tensor

from autograder.engine.sandbox.experiment import Misuse, StudentCode, quits_debugger
from autograder.homework.experiments.probes import IMAGE

_IN_TRAINING = 64
_LARGEST = 256
_MOST_NUMBERS = 8  # of an exception's text


def explain_by_batch(
    student: StudentCode,
    name: str,
    batch: int,
    call: Callable[[int], object],
    error: Exception | None = None,
) -> None:
    """Call a loss that has failed on batches of other sizes.

    Args:
        student: whose code it is; these calls print nothing.
        name: the loss.
        batch: the size of the batch on which it failed.
        call: calls it on a batch of a given size, with fresh networks.
        error: the exception that it raised, if any.

    Raises:
        Misuse: it works on a batch of another size.
    """
    if error is not None and quits_debugger(error):
        return
    numbers = [int(number) for number in re.findall(r"\b\d{1,3}\b", _text_of(error))]
    for size in dict.fromkeys((_IN_TRAINING, *numbers[:_MOST_NUMBERS])):
        if size in (0, 1, batch) or size > _LARGEST:
            continue
        with student.unseen():
            works = _works(call, size)
        if works:
            line = None if error is None else error.__traceback__
            raise _misuse(name, size).with_traceback(line) from error


def _misuse(name: str, size: int) -> Misuse:
    """Return the explanation, the same one whatever the batch on which the loss failed."""
    if size in IMAGE:
        return Misuse(
            f"{name} works only on a batch of {size} images, because they are {size} pixels wide: "
            "one number for each image needs the shape (B, 1, 1, 1) before you combine it with "
            "images (B, 1, 28, 28)"
        )
    return Misuse(
        f"{name} works on a batch of {size} images and fails on other sizes; take the "
        "number of images from x_real.shape[0] instead of writing it as a number"
    )


def _text_of(error: Exception | None) -> str:
    try:
        return "" if error is None else str(error)
    except Exception:  # the student's own class of exceptions
        return ""


def _works(call: Callable[[int], object], size: int) -> bool:
    try:
        loss = call(size)
    except Exception as error:
        if quits_debugger(error):
            raise
        return False
    return isinstance(loss, Tensor) and loss.dim() == 0 and not is_nan(loss)


def is_nan(loss: object) -> bool:
    """Whether a loss is NaN, as the mean of no numbers is."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        return False
    try:
        return math.isnan(loss.item())
    except Exception:  # complex, on the meta device, or a subclass: other checks report its form
        return False
