"""Find a batch size that is hard-coded in a loss.

A loss that fails is called again, on a batch of the size that training uses or that the exception
mentions. If that works, the loss failed because of the size of its batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from torch import Tensor

from autograder.engine.sandbox.experiment import Misuse, quits_debugger

_IN_TRAINING = 64
_LARGEST = 256
_MOST_NUMBERS = 8  # of an exception's text


def explain_by_batch(
    name: str, batch: int, call: Callable[[int], object], error: Exception | None = None
) -> None:
    """Call a loss that has failed on batches of other sizes.

    Args:
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
        if size not in (0, 1, batch) and size <= _LARGEST and _works(call, size):
            raise Misuse(
                f"{name} works on a batch of {size} images and fails on other sizes; take the "
                "number of images from x_real.shape[0] instead of writing it as a number"
            ).with_traceback(None if error is None else error.__traceback__)  # it has the line


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
