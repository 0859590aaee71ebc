"""Correct solutions of 2.2, the non-saturating losses, that differ from the reference."""

from __future__ import annotations

from functools import partial

from autograder.engine.catalogue.solutions import Right, right


def right_losses(stem: str, id: str, sentence: str, d_loss: str = "", g_loss: str = "") -> Right:
    """Make an entry from new code of one or both losses of a part, "2.2 loss_nonsaturating"."""
    code = {f"{stem}_d": d_loss, f"{stem}_g": g_loss}
    return right(id, sentence, {region: text for region, text in code.items() if text})


_right = partial(right_losses, "2.2 loss_nonsaturating")

RIGHT: tuple[Right, ...] = (
    _right(
        "right-bce-ones-like",
        "Binary cross-entropy from logits, with labels made like the logits.",
        d_loss="""
        real, fake = d(x_real), d(g(z).detach())
        d_loss = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        d_loss = d_loss + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        """,
        g_loss="""
        logits = d(g(z))
        g_loss = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        """,
    ),
    _right(
        "right-bce-ones",
        "Binary cross-entropy as a module, with labels made from the batch size.",
        d_loss="""
        criterion = torch.nn.BCEWithLogitsLoss()
        y_real = torch.ones(batch_size, device=device)
        y_fake = torch.zeros(batch_size, device=device)
        d_loss = criterion(d(x_real), y_real) + criterion(d(g(z)), y_fake)
        """,
        g_loss="""
        criterion = torch.nn.BCEWithLogitsLoss()
        g_loss = criterion(d(g(z)), torch.ones(batch_size, device=device))
        """,
    ),
    _right(
        "right-zero-grad-inside",
        "The losses also set the networks' gradients to None.",
        d_loss="""
        d.zero_grad()
        g.zero_grad()
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()
        """,
        g_loss="""
        for parameter in [*g.parameters(), *d.parameters()]:
            parameter.grad = None
        g_loss = F.softplus(-d(g(z))).mean()
        """,
    ),
    _right(
        "right-bce-joined",
        "Real and fake images go through d in one call; twice the mean over both.",
        d_loss="""
        logits = d(torch.cat([x_real, g(z).detach()]))
        labels = torch.zeros(2 * batch_size, device=device)
        labels[:batch_size] = 1.0
        d_loss = 2 * F.binary_cross_entropy_with_logits(logits, labels)
        """,
    ),
    _right(
        "right-joined-and-split",
        "Real and fake images go through d in one call, fake ones first, and are split again.",
        d_loss="""
        fake, real = d(torch.cat([g(z), x_real])).chunk(2)
        d_loss = -(F.logsigmoid(real) + F.logsigmoid(-fake)).mean()
        """,
    ),
    _right(
        "right-logsigmoid",
        "Pairs of logsigmoid, the fake images not detached.",
        d_loss="d_loss = -F.logsigmoid(d(x_real)).mean() - F.logsigmoid(-d(g(z))).mean()",
        g_loss="g_loss = -F.logsigmoid(d(g(z))).mean()",
    ),
    _right(
        "right-logsigmoid-minus-logit",
        "log(1 - D) as logsigmoid(h) - h.",
        d_loss="""
        fake = d(g(z))
        d_loss = -F.logsigmoid(d(x_real)).mean() - (F.logsigmoid(fake) - fake).mean()
        """,
    ),
    _right(
        "right-images-that-go-nowhere",
        "g is also called with another z, whose images d never gets.",
        d_loss="""
        shown = g(torch.zeros(4, g.dim_z, device=device)).detach()
        assert shown.shape[1:] == x_real.shape[1:]
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()
        """,
        g_loss="""
        before = g(torch.randn_like(z)).detach().mean()
        assert before.isfinite()
        g_loss = F.softplus(-d(g(z))).mean()
        """,
    ),
    _right(
        "right-softplus-and-bce",
        "One term by softplus, the other by binary cross-entropy.",
        d_loss="""
        real = d(x_real)
        d_loss = F.softplus(d(g(z).detach())).mean()
        d_loss = d_loss + F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        """,
    ),
    _right(
        "right-log-of-sigmoid",
        "log(sigmoid) and log(1 - sigmoid), infinite at large logits.",
        d_loss="""
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = -torch.log(real).mean() - torch.log(1 - fake).mean()
        """,
        g_loss="g_loss = -torch.log(torch.sigmoid(d(g(z)))).mean()",
    ),
    _right(
        "right-log-with-tiny-epsilon",
        "1e-8 is added inside the logarithms.",
        d_loss="""
        real, fake = d(x_real).sigmoid(), d(g(z)).sigmoid()
        d_loss = -(real + 1e-8).log().mean() - (1 - fake + 1e-8).log().mean()
        """,
        g_loss="g_loss = -(d(g(z)).sigmoid() + 1e-8).log().mean()",
    ),
    _right(
        "right-log-with-1e-6",
        "1e-6 is added inside the logarithms, the most that the tolerance allows.",
        d_loss="""
        real, fake = d(x_real).sigmoid(), d(g(z)).sigmoid()
        d_loss = -(real + 1e-6).log().mean() - (1 - fake + 1e-6).log().mean()
        """,
        g_loss="g_loss = -(d(g(z)).sigmoid() + 1e-6).log().mean()",
    ),
    _right(
        "right-clamped-at-1e-6",
        "The probabilities are clamped to [1e-6, 1 - 1e-6].",
        d_loss="""
        real = torch.sigmoid(d(x_real)).clamp(1e-6, 1 - 1e-6)
        fake = torch.sigmoid(d(g(z))).clamp(1e-6, 1 - 1e-6)
        d_loss = -torch.log(real).mean() - torch.log(1 - fake).mean()
        """,
        g_loss="g_loss = -torch.log(torch.sigmoid(d(g(z))).clamp(1e-7, 1 - 1e-7)).mean()",
    ),
    _right(
        "right-log-of-product",
        "The logarithm of the product of both probabilities.",
        d_loss="""
        both = torch.sigmoid(d(x_real)) * (1 - torch.sigmoid(d(g(z))))
        d_loss = -torch.log(both).mean()
        """,
    ),
    _right(
        "right-bce-of-probabilities",
        "Binary cross-entropy of probabilities.",
        d_loss="""
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = F.binary_cross_entropy(real, torch.ones_like(real))
        d_loss = d_loss + F.binary_cross_entropy(fake, torch.zeros_like(fake))
        """,
        g_loss="""
        probabilities = torch.sigmoid(d(g(z)))
        g_loss = F.binary_cross_entropy(probabilities, torch.ones_like(probabilities))
        """,
    ),
    _right(
        "right-exponentials",
        "log(1 + exp) written out.",
        d_loss="""
        d_loss = torch.log(1 + torch.exp(-d(x_real))).mean()
        d_loss = d_loss + torch.log1p(torch.exp(d(g(z)))).mean()
        """,
        g_loss="g_loss = (1 + (-d(g(z))).exp()).log().mean()",
    ),
    _right(
        "right-cross-entropy-of-two",
        "Cross-entropy of two classes, whose logits are 0 and h.",
        g_loss="""
        h = d(g(z))
        logits = torch.stack([torch.zeros_like(h), h], dim=1)
        g_loss = F.cross_entropy(logits, torch.ones_like(h).long())
        """,
    ),
    _right(
        "right-sum-over-batch-size",
        "Sums divided by the batch size.",
        d_loss="""
        total = F.softplus(-d(x_real)).sum() + F.softplus(d(g(z))).sum()
        d_loss = total / batch_size
        """,
        g_loss="g_loss = F.softplus(-d(g(z))).sum() / len(x_real)",
    ),
    _right(
        "right-loop-over-examples",
        "A loop adds up one example after the other.",
        d_loss="""
        real, fake = d(x_real), d(g(z))
        d_loss = 0
        for i in range(batch_size):
            d_loss = d_loss + F.softplus(-real[i]) / batch_size
            d_loss = d_loss + F.softplus(fake[i]) / batch_size
        """,
    ),
    _right(
        "right-no-grad-generator",
        "The fake images are made inside no_grad, from a new z.",
        d_loss="""
        with torch.no_grad():
            z = torch.randn(batch_size, g.dim_z).to(device)
            x_fake = g.forward(z)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(x_fake)).mean()
        """,
    ),
    _right(
        "right-generator-called-twice",
        "g(z) is called once for the shape and once for the loss; d.forward is called.",
        d_loss="""
        ones = torch.ones(g(z).shape[0], device=device)
        real, fake = d.forward(x_real), d.forward(g(z))
        d_loss = F.binary_cross_entropy_with_logits(real, ones)
        d_loss = d_loss + F.binary_cross_entropy_with_logits(fake, 0 * ones)
        """,
        g_loss="""
        ones = torch.ones_like(d(g(z)))
        g_loss = F.binary_cross_entropy_with_logits(d(g(z)), ones)
        """,
    ),
    _right(
        "right-z-from-distribution",
        "z is drawn from torch's Normal.",
        d_loss="""
        normal = torch.distributions.Normal(0.0, 1.0)
        z = normal.sample((batch_size, g.dim_z)).to(device)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()
        """,
        g_loss="""
        zero, one = torch.zeros(g.dim_z), torch.eye(g.dim_z)
        normal = torch.distributions.MultivariateNormal(zero, one)
        g_loss = F.softplus(-d(g(normal.sample((batch_size,)).to(device)))).mean()
        """,
    ),
    _right(
        "right-z-from-numpy",
        "z is drawn with numpy.",
        d_loss="""
        import numpy as np

        z = torch.from_numpy(np.random.randn(batch_size, g.dim_z)).float().to(device)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()
        """,
        g_loss="""
        z = x_real.new_empty(batch_size, g.dim_z).normal_()
        g_loss = F.softplus(-d(g(z))).mean()
        """,
    ),
    _right(
        "right-in-double",
        "The loss is computed from the logits in float64.",
        d_loss="""
        real, fake = d(x_real).double(), d(g(z)).double()
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        """,
        g_loss="g_loss = F.softplus(-d(g(z)).double()).mean()",
    ),
    _right(
        "right-gradients-of-d-switched-off",
        "The generator's loss freezes d while it runs, and also passes d the real images.",
        g_loss="""
        for parameter in d.parameters():
            parameter.requires_grad_(False)
        accuracy = (d(x_real) > 0).float().mean()
        g_loss = F.softplus(-d(g(z))).mean()
        for parameter in d.parameters():
            parameter.requires_grad_(True)
        """,
    ),
    _right(
        "right-judged-by-a-copy",
        "The generator's loss uses a copy of d, whose parameters get no gradient.",
        g_loss="""
        import copy

        judge = copy.deepcopy(d).requires_grad_(False)
        g_loss = F.softplus(-judge(g(z))).mean()
        """,
    ),
    _right(
        "right-judged-in-evaluation-mode",
        "d, which is the same in both modes, is in evaluation mode for the generator's loss.",
        g_loss="""
        d.eval()
        g_loss = F.softplus(-d(g(z))).mean()
        d.train()
        """,
    ),
    _right(
        "right-detached-in-place",
        "The fake images are detached in place, and g is called by keyword.",
        d_loss="""
        x_fake = g(z=z).detach_()
        d_loss = F.softplus(-d(x=x_real)).mean() + F.softplus(d(x=x_fake)).mean()
        """,
    ),
    _right(
        "right-checkpointed",
        "torch's older checkpoint runs d again when the gradient is taken.",
        g_loss="""
        from torch.utils.checkpoint import checkpoint

        g_loss = F.softplus(-checkpoint(d, g(z), use_reentrant=True)).mean()
        """,
    ),
    _right(
        "right-compiled",
        "Uses torch.compile in all its forms; a worker runs the code without compiling it.",
        d_loss="""
        @torch.compile
        def softplus(h):
            return F.softplus(h).mean()

        d = torch.compile(d, mode="reduce-overhead")
        d_loss = softplus(-d(x_real)) + softplus(d(g(z)))
        """,
        g_loss="""
        @torch.compile(fullgraph=True)
        def softplus(h):
            return F.softplus(h).mean()

        g.compile()
        g_loss = torch.compile(softplus)(-d(g(z)))
        """,
    ),
)
