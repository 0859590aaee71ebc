"""Calls of the student's functions, with the noise that they drew recovered from the sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autograder.engine.judge.gradients import flat
from vae.oracles import Bound, sample_gradients
from vae.problems import Array
from vae.student import VALUE, Elbo


@dataclass(frozen=True)
class SampleCall:
    """A call of sample_gaussian: m, v, the sample z and the cotangents bar, all (B, D)."""

    m: Array
    v: Array
    z: Array
    bar: Array

    @property
    def noise(self) -> Array:
        """(z - m) / sqrt(v), (B, D)."""
        noise: Array = (self.z - self.m) / np.sqrt(self.v)
        return noise

    @property
    def gradient(self) -> Array:
        """The correct gradient of sum(bar * z) by m and by v, (2, B, D)."""
        by = sample_gradients(self.noise, self.v, self.bar)
        return np.stack([by["m"], by["v"]])

    def with_v(self, gradient: Array | float) -> Array:
        """The gradient of a mistake: correct by m, this one by v."""
        return np.stack([self.bar, np.broadcast_to(gradient, self.v.shape)])


@dataclass(frozen=True)
class ElboCall:
    """A call of negative_elbo_bound: the equations at its z, and what it returned."""

    bound: Bound
    got: Elbo

    @cached_property
    def closed_form(self) -> bool:
        """Whether the student's kl is in closed form, not the estimate at the sample.

        By its value, and where both values agree, by its gradient.
        """
        values = {
            True: self.bound.closed_form.sum(axis=1).mean(),
            False: self.bound.estimate.mean(),
        }
        errors = {form: abs(value - self.got.kl) for form, value in values.items()}
        if max(errors.values()) > VALUE.atol:
            return min(errors, key=lambda form: errors[form])
        gradients = {form: self.bound.gradient(closed_form=form) for form in errors}
        got = flat(self.got.gradients, gradients[True])
        return min(
            gradients,
            key=lambda form: float(np.linalg.norm(flat(gradients[form], gradients[form]) - got)),
        )

    def gradient(self, *, rec: float = 1.0, through_sample: bool = True) -> Mapping[str, Array]:
        """The gradient of the bound with the student's form of kl; see `Bound.gradient`."""
        return self.bound.gradient(
            closed_form=self.closed_form, rec=rec, through_sample=through_sample
        )
