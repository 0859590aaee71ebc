"""Calls of the student's functions, with the form of their answers checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autograder import CheckFailed, Student, Tolerance
from vae.problems import Array, ElboProblem, GaussianProblem

GAUSSIANS, VAE = "model/gaussians.py", "model/vae.py"
SAMPLE, LOG_NORMAL, BOUND = "sample_gaussian", "log_normal", "VAE.negative_elbo_bound"

# Between float32 and the oracles' float64. Correct solutions need less than a hundredth of them,
# also with an epsilon of 1e-8 added to v; the nearest known mistakes are off by 0.05 and more.
VALUE = Tolerance(rtol=1e-3, atol=2e-3)


@dataclass(frozen=True)
class Sample:
    """A sample z (B, D), and the gradient of sum(bar * z) by m and v, where it arrived."""

    z: Array
    gradients: Mapping[str, Array]


@dataclass(frozen=True)
class Elbo:
    """The terms of the bound, the sample z (B, D), and the gradient of nelbo by weight."""

    nelbo: float
    kl: float
    rec: float
    z: Array
    gradients: Mapping[str, Array]


def sample_gaussian(
    student: Student, m: Array, v: Array, *, seed: int, bar: Array | None = None
) -> Sample:
    """Call sample_gaussian on m and v (B, D), with cotangents (B, D) for the gradient."""
    reply = student.call(
        SAMPLE,
        {"m": m, "v": v},
        returns=("z",),
        bars=None if bar is None else {"z": bar},
        file=GAUSSIANS,
        seed=seed,
    )
    return Sample(reply.array("z", m.shape, "(B, D), that of m"), reply.gradients())


def log_normal(
    student: Student, problem: GaussianProblem, *, bar: Array | None = None
) -> tuple[Array, Mapping[str, Array]]:
    """Call log_normal on x (..., D); return log_prob (...) and the gradient of sum(bar * it)."""
    reply = student.call(
        LOG_NORMAL,
        {"x": problem.x, "m": problem.m, "v": problem.v},
        returns=("log_prob",),
        bars=None if bar is None else {"log_prob": bar},
        file=GAUSSIANS,
    )
    shape = problem.x.shape[:-1]
    return reply.array("log_prob", shape, "that of x without the last dimension"), reply.gradients()


def negative_elbo(
    student: Student, problem: ElboProblem, given: str = "", *, seed: int | None = None
) -> Elbo:
    """Call VAE.negative_elbo_bound between a problem's networks.

    Args:
        student: the submission.
        problem: networks and images.
        given: see the experiment.
        seed: of the student's random numbers; the problem's by default.
    """
    reply = student.run(
        "negative_elbo",
        {"given": given},
        {**problem.weights, "x": problem.x},
        function=BOUND,
        file=VAE,
        seed=problem.seed if seed is None else seed,
    )
    reply.several(("nelbo", "kl", "rec"))
    shape = (len(problem.x), len(problem.weights["encoder.m_bias"]))
    if reply.values.get("samples") != len(problem.x):
        raise CheckFailed(f"{BOUND} must give the decoder one sample z for each example.")
    return Elbo(
        nelbo=reply.scalar("nelbo"),
        kl=reply.scalar("kl"),
        rec=reply.scalar("rec"),
        z=reply.array("z", shape, "(B, D)"),
        gradients=reply.gradients(),
    )


def zeros_where_missing(got: Mapping[str, Array], like: Mapping[str, Array]) -> dict[str, Array]:
    """The gradients, with zeros where none arrived."""
    return {name: got.get(name, np.zeros_like(array)) for name, array in like.items()}
