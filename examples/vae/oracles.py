"""The homework's equations in numpy, float64. Students do not get this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vae.problems import Array, ElboProblem

# Correct functions for the worker of 1.3: there, a mistake in 1.1 or 1.2 must not cost points
# again. Sent as text, because students get the experiments.
GIVEN = """
from torch.distributions import Normal

def sample_gaussian(m, v):
    return Normal(m, v.sqrt(), validate_args=False).rsample()

def log_normal(x, m, v):
    return Normal(m, v.sqrt(), validate_args=False).log_prob(x).sum(-1)
"""


def log_normal(x: Array, m: Array, v: Array) -> Array:
    """log N(x; m, diag(v)), summed over the last dimension; (..., D) to (...)."""
    log_prob: Array = (-0.5 * (np.log(2 * np.pi * v) + (x - m) ** 2 / v)).sum(axis=-1)
    return log_prob


def log_normal_gradients(x: Array, m: Array, v: Array, bar: Array) -> dict[str, Array]:
    """The gradient of sum(bar * log_normal) by x, m and v, for equal shapes (B, D) and bar (B,)."""
    scaled = (x - m) / v
    return {
        "x": -bar[:, None] * scaled,
        "m": bar[:, None] * scaled,
        "v": 0.5 * bar[:, None] * (scaled**2 - 1 / v),
    }


@dataclass(frozen=True)
class Bound:
    """The terms of the bound and their gradients, given the sample z (B, D) that was drawn.

    Args:
        problem: the networks and the batch.
        z: the sample.
    """

    problem: ElboProblem
    z: Array

    @property
    def m(self) -> Array:
        """The mean of q, (B, D)."""
        p = self.problem
        m: Array = p.x @ p.weights["encoder.m_weight"].T + p.weights["encoder.m_bias"]
        return m

    @property
    def v(self) -> Array:
        """The variance of q, (B, D)."""
        p = self.problem
        v: Array = np.exp(p.x @ p.weights["encoder.v_weight"].T + p.weights["encoder.v_bias"])
        return v

    @property
    def noise(self) -> Array:
        """What z was made of: (z - m) / sqrt(v), (B, D)."""
        noise: Array = (self.z - self.m) / np.sqrt(self.v)
        return noise

    @property
    def logits(self) -> Array:
        """The decoder's, (B, X)."""
        w = self.problem.weights
        logits: Array = np.tanh(self.z) @ w["decoder.weight"].T + w["decoder.bias"]
        return logits

    @property
    def cross_entropy(self) -> Array:
        """-log p of each pixel, (B, X): log(1 + exp(l)) - x l, without overflow."""
        cross: Array = np.logaddexp(0.0, self.logits) - self.problem.x * self.logits
        return cross

    @property
    def rec(self) -> float:
        """-log p(x | z), summed over the pixels, averaged over the batch."""
        return float(self.cross_entropy.sum(axis=1).mean())

    @property
    def closed_form(self) -> Array:
        """KL(N(m, v) || N(0, 1)) of each latent variable, (B, D)."""
        m, v = self.m, self.v
        kl: Array = 0.5 * (v + m**2 - 1 - np.log(v))
        return kl

    @property
    def estimate(self) -> Array:
        """log q(z | x) - log p(z) of each example, (B,)."""
        zero, one = np.zeros_like(self.z), np.ones_like(self.z)
        return log_normal(self.z, self.m, self.v) - log_normal(self.z, zero, one)

    def kl(self, returned: float) -> float:
        """The correct value, closed form or estimate, that is closer to the student's."""
        both = (float(self.closed_form.sum(axis=1).mean()), float(self.estimate.mean()))
        return min(both, key=lambda value: abs(value - returned))

    def gradient(
        self,
        *,
        closed_form: bool,
        rec: float = 1.0,
        kl: float = 1.0,
        through_sample: bool = True,
    ) -> dict[str, Array]:
        """The gradient of rec * rec term + kl * kl term by all weights.

        Args:
            closed_form: the form of the kl term.
            rec, kl: factors, 1 for the bound.
            through_sample: whether it flows through z into the encoder.
        """
        p, m, v = self.problem, self.m, self.v
        batch = len(p.x)
        logits_bar = rec * (_sigmoid(self.logits) - p.x) / batch  # (B, X)
        hidden = np.tanh(self.z)
        z_bar = (logits_bar @ p.weights["decoder.weight"]) * (1 - hidden**2)  # (B, D)
        if closed_form:
            m_bar, v_bar = kl * m / batch, kl * 0.5 * (1 - 1 / v) / batch
        else:
            # log q depends on v alone, since (z - m) / sqrt(v) is the noise; log p on z.
            m_bar, v_bar = np.zeros_like(m), -0.5 * kl / v / batch
            z_bar = z_bar + kl * self.z / batch
        if through_sample:
            m_bar = m_bar + z_bar
            v_bar = v_bar + z_bar * self.noise / (2 * np.sqrt(v))
        log_v_bar = v_bar * v
        return {
            "encoder.m_weight": m_bar.T @ p.x,
            "encoder.m_bias": m_bar.sum(axis=0),
            "encoder.v_weight": log_v_bar.T @ p.x,
            "encoder.v_bias": log_v_bar.sum(axis=0),
            "decoder.weight": logits_bar.T @ hidden,
            "decoder.bias": logits_bar.sum(axis=0),
        }


def sample_gradients(noise: Array, v: Array, bar: Array) -> Mapping[str, Array]:
    """The gradient of sum(bar * z) by m and v, for z = m + sqrt(v) noise."""
    return {"m": bar, "v": bar * noise / (2 * np.sqrt(v))}


def _sigmoid(logits: Array) -> Array:
    p: Array = np.exp(-np.logaddexp(0.0, -logits))
    return p
