"""The known mistakes: the incorrect code, and in numpy the answers that it gives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autograder import Wrong
from autograder.engine.judge.gradients import flat
from vae.oracles import log_normal
from vae.problems import Array, GaussianProblem
from vae.recovered import ElboCall

SAMPLE, DENSITY, BOUND = (
    "1.1 sample_gaussian",
    "1.2 log_normal",
    "1.3 VAE.negative_elbo_bound",
)


def _flat(gradient: Mapping[str, Array]) -> Array:
    return flat(gradient, gradient)


def _size(problem: GaussianProblem) -> int:
    return len(problem.x.T)


def _without_log_v(problem: GaussianProblem) -> Array:
    one = np.ones_like(problem.v)
    quadratic = (problem.x - problem.m) / np.sqrt(problem.v)
    return log_normal(quadratic, np.zeros_like(quadratic), one)


def _cross_entropy_of_probabilities(call: ElboCall) -> float:
    p = 1 / (1 + np.exp(-call.bound.logits))
    return float((np.logaddexp(0.0, p) - call.bound.problem.x * p).sum(axis=1).mean())


def _reversed_kl(call: ElboCall) -> float:
    m, v = call.bound.m, call.bound.v
    return float((0.5 * ((1 + m**2) / v - 1 + np.log(v))).sum(axis=1).mean())


_TERMS = """
m, v = self.encoder(x)
z = sample_gaussian(m, v)
logits = self.decoder(z)
rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=-1).mean()
kl = 0.5 * (v + m ** 2 - 1 - torch.log(v)).sum(dim=-1).mean()
nelbo = kl + rec
"""


def terms_but(*changes: tuple[str, str]) -> str:
    """A correct solution of 1.3 with replaced pieces."""
    code = _TERMS
    for old, new in changes:
        if code.count(old) != 1:
            raise ValueError(f"{old!r} must occur once")
        code = code.replace(old, new)
    return code


_REC = 'rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=-1).mean()'
_KL = "kl = 0.5 * (v + m ** 2 - 1 - torch.log(v)).sum(dim=-1).mean()"
_Z = "z = sample_gaussian(m, v)"

WRONG: tuple[Wrong, ...] = (
    # ---- 1.1 sample_gaussian -------------------------------------------------------------------
    Wrong(
        "sample-variance-as-spread",
        SAMPLE,
        "Multiplies the noise by the variance.",
        "z = m + v * torch.randn_like(m)",
        hint="sample_gaussian() multiplies the noise by v. v is the variance; the noise needs the "
        "standard deviation.",
        answers={
            "sample.gradient": lambda call: call.with_v(call.bar * (call.z - call.m) / call.v)
        },
    ),
    Wrong(
        "sample-variance-as-logarithm",
        SAMPLE,
        "Takes v for the logarithm of the variance.",
        "z = m + torch.exp(0.5 * v) * torch.randn_like(m)",
        hint="sample_gaussian() takes v for the logarithm of the variance. It is the variance.",
        answers={"sample.gradient": lambda call: call.with_v(call.bar * (call.z - call.m) / 2)},
    ),
    Wrong(
        "sample-without-gradient",
        SAMPLE,
        "Lets torch.normal draw the sample, through which no gradient flows.",
        "z = torch.normal(m, torch.sqrt(v))",
        hint="No gradient flows from the sample into m and v. Draw noise that does not depend on "
        "them, and make the sample from it.",
        answers={"sample.gradient": lambda call: np.zeros_like(call.gradient)},
    ),
    Wrong(
        "sample-detaches-spread",
        SAMPLE,
        "Cuts the gradient by the variance off.",
        "z = m + torch.sqrt(v).detach() * torch.randn_like(m)",
        hint="No gradient flows from the sample into v.",
        answers={"sample.gradient": lambda call: call.with_v(0.0)},
    ),
    Wrong(
        "sample-uniform-noise",
        SAMPLE,
        "Draws the noise from a uniform distribution with mean 0 and variance 1.",
        "z = m + torch.sqrt(v) * (torch.rand_like(m) - 0.5) * math.sqrt(12)",
        says="is not standard normal",
    ),
    Wrong(
        "sample-noise-for-the-batch",
        SAMPLE,
        "Draws the noise once, for all examples.",
        "z = m + torch.sqrt(v) * torch.randn(m.shape[-1])",
        says="for different examples is not independent",
    ),
    Wrong(
        "sample-noise-for-the-example",
        SAMPLE,
        "Draws one number for each example.",
        "z = m + torch.sqrt(v) * torch.randn(len(m), 1)",
        says="for different entries of an example is not independent",
    ),
    Wrong(
        "sample-seeds",
        SAMPLE,
        "Seeds the random numbers in each call.",
        """
        torch.manual_seed(0)
        z = m + torch.sqrt(v) * torch.randn_like(m)
        """,
        says="for different calls is not independent",
    ),
    Wrong(
        "sample-limits-variance",
        SAMPLE,
        "Raises small variances to 1e-4.",
        "z = m + torch.sqrt(v.clamp(min=1e-4)) * torch.randn_like(m)",
        says="is not standard normal",
    ),
    # ---- 1.2 log_normal ------------------------------------------------------------------------
    Wrong(
        "log-normal-averages",
        DENSITY,
        "Averages over the last dimension.",
        "log_prob = -0.5 * (math.log(2 * math.pi) + torch.log(v) + (x - m) ** 2 / v).mean(dim=-1)",
        hint="log_normal() averages over the last dimension. The entries are independent: their "
        "log-densities add up.",
        answers={"log_normal": lambda p: log_normal(p.x, p.m, p.v) / _size(p)},
    ),
    Wrong(
        "log-normal-variance-as-spread",
        DENSITY,
        "Takes v for the standard deviation.",
        "log_prob = torch.distributions.Normal(m, v).log_prob(x).sum(dim=-1)",
        hint="log_normal() takes v for the standard deviation. It is the variance.",
        answers={"log_normal": lambda p: log_normal(p.x, p.m, p.v**2)},
    ),
    Wrong(
        "log-normal-without-constant",
        DENSITY,
        "Leaves out the constant.",
        "log_prob = -0.5 * (torch.log(v) + (x - m) ** 2 / v).sum(dim=-1)",
        hint="log_normal() lacks the constant of the density, with pi in it, for each entry.",
        answers={
            "log_normal": lambda p: log_normal(p.x, p.m, p.v) + 0.5 * _size(p) * np.log(2 * np.pi)
        },
    ),
    Wrong(
        "log-normal-without-log-variance",
        DENSITY,
        "Leaves out the logarithm of the variance.",
        "log_prob = -0.5 * (math.log(2 * math.pi) + (x - m) ** 2 / v).sum(dim=-1)",
        hint="log_normal() lacks log v: the density is not divided by the standard deviation.",
        answers={"log_normal": _without_log_v},
    ),
    Wrong(
        "log-normal-doubled",
        DENSITY,
        "Forgets a factor of one half.",
        "log_prob = -(math.log(2 * math.pi) + torch.log(v) + (x - m) ** 2 / v).sum(dim=-1)",
        hint="log_normal() is twice the log-density: a factor is missing.",
        answers={"log_normal": lambda p: 2 * log_normal(p.x, p.m, p.v)},
    ),
    Wrong(
        "log-normal-limits-variance",
        DENSITY,
        "Raises small variances to 1e-4.",
        """
        v = v.clamp(min=1e-4)
        log_prob = -0.5 * (math.log(2 * math.pi) + torch.log(v) + (x - m) ** 2 / v).sum(dim=-1)
        """,
        hint="log_normal() raises small variances. Leave v as it is.",
        answers={"log_normal": lambda p: log_normal(p.x, p.m, np.maximum(p.v, 1e-4))},
    ),
    Wrong(
        "log-normal-of-density",
        DENSITY,
        "Takes the logarithm of the density, which is 0 in float32 far from the mean.",
        """
        density = torch.exp(-0.5 * (x - m) ** 2 / v) / torch.sqrt(2 * math.pi * v)
        log_prob = torch.log(density.prod(dim=-1))
        """,
        says="NaN or infinite",
    ),
    Wrong(
        "log-normal-sums-everything",
        DENSITY,
        "Sums over the batch too.",
        "log_prob = -0.5 * (math.log(2 * math.pi) + torch.log(v) + (x - m) ** 2 / v).sum()",
        says="log_prob of shape ()",
    ),
    Wrong(
        "log-normal-sums-second-dimension",
        DENSITY,
        "Sums over dimension 1, which is the last one only for two dimensions.",
        "log_prob = -0.5 * (math.log(2 * math.pi) + torch.log(v) + (x - m) ** 2 / v).sum(dim=1)",
        says="IndexError",
    ),
    # ---- 1.3 VAE.negative_elbo_bound -----------------------------------------------------------
    Wrong(
        "elbo-averages-over-pixels",
        BOUND,
        "Averages the reconstruction loss over the pixels too.",
        terms_but((_REC, "rec = F.binary_cross_entropy_with_logits(logits, x)")),
        hint="rec is averaged over the pixels, too. -log p(x | z) is their sum; only the batch is "
        "averaged.",
        answers={
            "elbo.rec": lambda call: call.bound.rec / call.bound.problem.x.shape[1],
            "elbo.gradient": lambda call: _flat(
                call.gradient(rec=1 / call.bound.problem.x.shape[1])
            ),
        },
    ),
    Wrong(
        "elbo-sums-over-the-batch",
        BOUND,
        "Sums the reconstruction loss over the batch.",
        terms_but(('reduction="none").sum(dim=-1).mean()', 'reduction="sum")')),
        hint="rec is summed over the batch. Average it over the examples.",
        answers={"elbo.rec": lambda call: call.bound.rec * len(call.bound.problem.x)},
    ),
    Wrong(
        "elbo-probabilities-as-logits",
        BOUND,
        "Applies the sigmoid twice.",
        terms_but(("self.decoder(z)", "torch.sigmoid(self.decoder(z))")),
        hint="rec takes the sigmoid of the decoder's output for a logit. The output is the logit.",
        answers={"elbo.rec": _cross_entropy_of_probabilities},
    ),
    Wrong(
        "elbo-logarithm-of-sigmoid",
        BOUND,
        "Takes the logarithm of the probability, which is 0 for a large logit.",
        terms_but(
            (
                _REC,
                "p = torch.sigmoid(logits)\n"
                "rec = -(x * torch.log(p) + (1 - x) * torch.log(1 - p)).sum(dim=-1).mean()",
            )
        ),
        says="NaN or infinite",
    ),
    Wrong(
        "elbo-reversed-kl",
        BOUND,
        "Takes the divergence of the prior from q.",
        terms_but((_KL, "kl = 0.5 * ((1 + m ** 2) / v - 1 + torch.log(v)).sum(dim=-1).mean()")),
        hint="kl is KL(p(z) || q(z | x)). Swap the two distributions.",
        answers={"elbo.kl": _reversed_kl},
    ),
    Wrong(
        "elbo-averages-over-latents",
        BOUND,
        "Averages kl over the latent variables.",
        terms_but((_KL, _KL.replace(".sum(dim=-1).mean()", ".mean()"))),
        hint="kl is averaged over the latent variables, too. Sum over them; only the batch is "
        "averaged.",
        answers={"elbo.kl": lambda call: call.bound.closed_form.mean()},
    ),
    Wrong(
        "elbo-without-prior",
        BOUND,
        "Leaves out the prior: kl is log q(z | x).",
        terms_but((_KL, "kl = log_normal(z, m, v).mean()")),
        hint="kl is log q(z | x) alone. Subtract log p(z).",
        answers={
            "elbo.kl": lambda call: log_normal(call.bound.z, call.bound.m, call.bound.v).mean()
        },
    ),
    Wrong(
        "elbo-subtracts-kl",
        BOUND,
        "Subtracts kl.",
        terms_but(("kl + rec", "rec - kl")),
        hint="nelbo is rec - kl. Both terms of the negative bound are added.",
        answers={"elbo.nelbo": lambda call: call.got.rec - call.got.kl},
    ),
    Wrong(
        "elbo-swaps-results",
        BOUND,
        "Returns rec and kl in the other order.",
        terms_but(("kl + rec", "kl + rec; kl, rec = rec, kl")),
        hint="kl and rec are swapped: return nelbo, kl, rec.",
        answers={
            "elbo.rec": lambda call: call.bound.kl(call.got.rec),
            "elbo.kl": lambda call: call.bound.rec,
        },
    ),
    Wrong(
        "elbo-detaches-sample",
        BOUND,
        "Cuts the gradient through the sample off.",
        terms_but((_Z, "z = sample_gaussian(m, v).detach()")),
        hint="No gradient flows through the sample into the encoder.",
        answers={"elbo.gradient": lambda call: _flat(call.gradient(through_sample=False))},
    ),
    Wrong(
        "elbo-decodes-mean",
        BOUND,
        "Gives the decoder the mean.",
        terms_but((_Z, "z = m")),
        says="the mean m of q, not a sample",
    ),
    Wrong(
        "elbo-decodes-prior",
        BOUND,
        "Gives the decoder samples from the prior.",
        terms_but((_Z, "z = torch.randn_like(m)")),
        says="samples from the prior",
    ),
    Wrong(
        "elbo-noise-for-the-batch",
        BOUND,
        "Draws the noise once, for all examples.",
        terms_but((_Z, "z = m + torch.sqrt(v) * torch.randn(m.shape[-1])")),
        says="for different examples is not independent",
    ),
)
