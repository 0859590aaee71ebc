"""The catalogue that the audit grades. The judge needs the mistakes only."""

from __future__ import annotations

from autograder import Catalogue, Right
from vae.mistakes import BOUND, DENSITY, SAMPLE, WRONG, terms_but

_KL = "kl = 0.5 * (v + m ** 2 - 1 - torch.log(v)).sum(dim=-1).mean()"
_REC = 'rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=-1).mean()'

RIGHT: tuple[Right, ...] = (
    # ---- 1.1 sample_gaussian -------------------------------------------------------------------
    Right(
        "right-sample-distribution",
        SAMPLE,
        "Lets torch.distributions draw.",
        "z = torch.distributions.Normal(m, v.sqrt()).rsample()",
    ),
    Right(
        "right-sample-numpy",
        SAMPLE,
        "Draws the noise with numpy.",
        """
        import numpy as np

        noise = torch.from_numpy(np.random.randn(*m.shape)).to(m)
        z = m + noise * v ** 0.5
        """,
    ),
    Right(
        "right-sample-box-muller",
        SAMPLE,
        "Makes the normal noise from uniform numbers.",
        """
        radius = torch.sqrt(-2 * torch.log(1 - torch.rand_like(m)))
        noise = radius * torch.cos(2 * math.pi * torch.rand_like(m))
        z = torch.addcmul(m, torch.exp(0.5 * torch.log(v)), noise)
        """,
    ),
    Right(
        "right-sample-own-generator",
        SAMPLE,
        "Draws from a generator of its own, and adds a tiny epsilon.",
        """
        generator = torch.Generator()
        generator.seed()
        z = m + torch.sqrt(v + 1e-8) * torch.randn(m.shape, generator=generator)
        """,
    ),
    # ---- 1.2 log_normal ------------------------------------------------------------------------
    Right(
        "right-log-normal-distribution",
        DENSITY,
        "Lets torch.distributions compute the density.",
        "log_prob = torch.distributions.Normal(m, v.sqrt()).log_prob(x).sum(-1)",
    ),
    Right(
        "right-log-normal-independent",
        DENSITY,
        "Declares the last dimension as an event.",
        """
        normal = torch.distributions.Normal(m, torch.sqrt(v))
        log_prob = torch.distributions.Independent(normal, 1).log_prob(x)
        """,
    ),
    Right(
        "right-log-normal-three-sums",
        DENSITY,
        "Sums each term on its own, and adds a tiny epsilon.",
        """
        v = v + 1e-8
        log_prob = -x.shape[-1] / 2 * math.log(2 * math.pi)
        log_prob = log_prob - torch.log(v).sum(-1) / 2 - ((x - m).pow(2) / v).sum(-1) / 2
        """,
    ),
    Right(
        "right-log-normal-in-float64",
        DENSITY,
        "Computes in double precision.",
        """
        x, m, v = x.double(), m.double(), v.double()
        terms = torch.log(torch.sqrt(2 * math.pi * v)) + 0.5 * ((x - m) / v.sqrt()) ** 2
        log_prob = -terms.sum(dim=-1).float()
        """,
    ),
    # ---- 1.3 VAE.negative_elbo_bound -----------------------------------------------------------
    Right("right-elbo-closed-form", BOUND, "Computes kl in closed form.", terms_but()),
    Right(
        "right-elbo-distributions",
        BOUND,
        "Computes everything with torch.distributions.",
        """
        m, v = self.encoder(x)
        q = torch.distributions.Normal(m, v.sqrt())
        p = torch.distributions.Normal(torch.zeros_like(m), torch.ones_like(m))
        z = q.rsample()
        kl = torch.distributions.kl_divergence(q, p).sum(-1).mean()
        rec = -torch.distributions.Bernoulli(logits=self.decoder(z)).log_prob(x).sum(-1).mean()
        nelbo = kl + rec
        """,
    ),
    Right(
        "right-elbo-softplus",
        BOUND,
        "Writes the cross entropy out, and decodes the sample once more for an image.",
        terms_but(
            (
                _REC,
                "rec = (F.softplus(logits) - x * logits).sum() / x.shape[0]\n"
                "image = torch.sigmoid(self.decoder(z)).detach()",
            )
        ),
    ),
    Right(
        "right-elbo-logsigmoid",
        BOUND,
        "Uses the stable logarithm of the sigmoid.",
        terms_but(
            (
                _REC,
                "log_p = x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)\n"
                "rec = -torch.einsum('bi->b', log_p).mean()",
            ),
            (_KL, "kl = -0.5 * torch.sum(1 + v.log() - m.pow(2) - v, dim=1).mean(0)"),
        ),
    ),
    Right(
        "right-elbo-one-example-at-a-time",
        BOUND,
        "Loops over the examples.",
        """
        kls, recs = [], []
        for image in x:
            m, v = self.encoder(image)
            z = sample_gaussian(m, v)
            recs.append(F.binary_cross_entropy_with_logits(self.decoder(z), image, reduction="sum"))
            kls.append(log_normal(z, m, v) - log_normal(z, 0 * m, 0 * v + 1))
        kl, rec = torch.stack(kls).mean(), torch.stack(recs).mean()
        nelbo = torch.stack([kl, rec]).sum()
        """,
    ),
)


CATALOGUE = Catalogue(
    WRONG,
    RIGHT,
    # 1.3 may call the functions of 1.1 and 1.2; a mistake in those must cost nothing there.
    calls=lambda entry, check: check.part in {*entry.parts, "1.3"},
    seeds=(1, 2),
)
