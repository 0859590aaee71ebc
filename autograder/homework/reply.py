"""The form of a reply: log-determinants, and the record of a probe network's calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.engine.judge.exceptions import CheckFailed, Unusable
from autograder.engine.judge.reply import MAX_ABSOLUTE, Reply, is_size
from autograder.homework.problems.gan_case import BATCH_IN_TRAINING, N_CLASSES
from autograder.homework.problems.probe_networks import Array

ONLY_IN_TRAINING = f" {BATCH_IN_TRAINING} is the batch size of the training only."


@dataclass(frozen=True)
class NetworkCall:
    """One call of a probe network: its input as rows, and its labels."""

    rows: Array
    labels: np.ndarray[Any, np.dtype[np.int64]] | None


class Form(Reply):
    """Reads a reply of this homework's experiments."""

    def log_det(self, batch: int) -> Array | CheckFailed:
        """Return the recorded log_det (B,), or what is wrong with its form."""
        try:
            return self.array("log_det", (batch,), "(B,)")
        except CheckFailed as failure:
            return failure

    def calls(
        self, network: str, width: int, conditional: bool, most_rows: int
    ) -> tuple[NetworkCall, ...]:
        """Return the recorded calls of a probe network, in order.

        Raises:
            Unusable: too many rows, entries that are not finite, or a malformed record.
        """
        unreadable = Unusable(f"{self.function}: the record of {network} is not readable.")
        sizes = self.values.get(f"{network}_calls")
        if not isinstance(sizes, list) or not all(is_size(n) for n in sizes):
            raise unreadable
        sizes = [n for n in sizes if n]  # a call without rows is none
        if not sizes:
            return ()
        if sum(sizes) > most_rows:  # before anything is computed: that would cost the judge's time
            raise Unusable(
                f"{self.function} gives {network} {sum(sizes)} inputs in one call; a loss needs a "
                "few times the size of the batch, x_real.shape[0]."
                + ONLY_IN_TRAINING
                * (BATCH_IN_TRAINING in sizes)
            )
        rows = self._arrays.get(f"{network}.input")
        if rows is None or rows.shape != (sum(sizes), width):
            raise unreadable
        if not np.isfinite(rows).all():
            raise Unusable(f"{self.function} gives {network} NaN or infinite inputs.")
        if rows.dtype.kind != "f" or np.abs(rows).max(initial=0.0) > MAX_ABSOLUTE:
            raise Unusable(
                f"{self.function} gives {network} inputs with absolute values above "
                f"{MAX_ABSOLUTE:g}."
            )
        ends = np.cumsum(sizes)[:-1]
        parts = np.split(rows.astype(np.float64), ends)
        if not conditional:
            return tuple(NetworkCall(part, None) for part in parts)
        labels = self._arrays.get(f"{network}.labels")
        if labels is None or labels.shape != (sum(sizes),) or labels.dtype.kind != "i":
            raise unreadable
        if len(labels) and not 0 <= labels.min() <= labels.max() < N_CLASSES:
            raise unreadable
        return tuple(
            NetworkCall(part, label)
            for part, label in zip(parts, np.split(labels.astype(np.int64), ends), strict=True)
        )
