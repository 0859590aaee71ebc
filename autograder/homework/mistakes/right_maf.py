"""Correct solutions of MAF.log_probs that differ from the reference."""

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes.flow_code import LOG_PROBS, MAF_LOG_PROBS, but

_ADD = "total = total + log_det.view(-1)"
_BASE = "self.base_dist.log_prob(z).sum(dim=1)"
_END = "(base + total).mean()"


def _right(id: str, sentence: str, code: str) -> Right:
    return Right(id, LOG_PROBS, sentence, code)


RIGHT: tuple[Right, ...] = (
    _right(
        "right-maf-two-threads",
        "Asks torch for two threads; a worker always has one.",
        "torch.set_num_threads(2)" + MAF_LOG_PROBS,
    ),
    _right(
        "right-maf-broadcasts",
        "Adds (B, 1) to (B,): the sum is (B, B), but its mean is still correct.",
        but(MAF_LOG_PROBS, (_ADD, "total = total + log_det")),
    ),
    _right(
        "right-maf-skips-log-det-of-reversals",
        "Tells the layers apart by isinstance and adds the log-determinants of MADE blocks only.",
        but(MAF_LOG_PROBS, (_ADD, "total = total + log_det if isinstance(block, MADE) else total")),
    ),
    _right(
        "right-maf-reverses-itself",
        "Skips the PermuteLayers and reverses the columns itself.",
        """
        total = 0
        for block in self.nf:
            if isinstance(block, PermuteLayer):
                x = torch.flip(x, dims=[1])
                continue
            x, log_det = block.inverse(x)
            total = total + log_det
        log_prob = torch.mean(self.base_dist.log_prob(x).sum(-1) + total)
        """,
    ),
    _right(
        "right-maf-squeezes",
        "Squeezes the (B, 1) of the reversals.",
        but(MAF_LOG_PROBS, ("log_det.view(-1)", "log_det.squeeze()")),
    ),
    _right(
        "right-maf-keeps-columns",
        "Keeps everything as (B, 1).",
        but(
            MAF_LOG_PROBS,
            ("torch.zeros(x.shape[0], device=x.device)", "x.new_zeros(x.shape[0], 1)"),
            ("log_det.view(-1)", "log_det.reshape(-1, 1)"),
            (_BASE, "self.base_dist.log_prob(z).sum(dim=1, keepdim=True)"),
        ),
    ),
    _right(
        "right-maf-list-of-log-dets",
        "Collects the log-determinants in a list.",
        """
        log_dets = []
        for i in range(len(self.nf)):
            x, log_det = self.nf[i].inverse(x)
            log_dets.append(log_det.reshape(x.shape[0], -1).sum(1))
        log_prob = (torch.stack(log_dets, dim=0).sum(0) + self.base_dist.log_prob(x).sum(1)).mean()
        """,
    ),
    _right(
        "right-maf-means-of-parts",
        "Adds the batch means of the parts.",
        """
        log_prob = 0.0
        for _, block in self.nf.named_children():
            x, log_det = block.inverse(x)
            log_prob += log_det.mean()
        log_prob += self.base_dist.log_prob(x).sum(dim=1).mean()
        """,
    ),
    _right(
        "right-maf-divides-by-batch-size",
        "Sums everything and divides by B.",
        but(MAF_LOG_PROBS, (_END, "(base.sum() + total.sum()) / x.size(0)")),
    ),
    _right(
        "right-maf-mean-times-variables",
        "Averages the base density over everything and multiplies by D.",
        but(MAF_LOG_PROBS, (_BASE, "self.base_dist.log_prob(z).mean() * self.input_size")),
    ),
    _right(
        "right-maf-closed-form",
        "Writes the base density out.",
        """
        import math

        z, total = x, 0
        for block in self.nf:
            z, log_det = block.inverse(z)
            total = total + log_det.flatten()
        base = -0.5 * (z.pow(2) + math.log(2 * math.pi)).sum(dim=1)
        log_prob = (base + total).mean()
        """,
    ),
    _right(
        "right-maf-loop-over-variables",
        "Adds the base density up variable by variable.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "sum(self.base_dist.log_prob(z[:, i]) for i in range(z.shape[1]))"),
        ),
    ),
    _right(
        "right-maf-multivariate-normal",
        "Uses a multivariate normal as the base density.",
        """
        from torch.distributions import MultivariateNormal

        z, total = x, torch.zeros_like(x[:, 0])
        for block in self.nf:
            z, log_det = block.inverse(z)
            total = total + log_det.view(-1)
        size = z.shape[1]
        base = MultivariateNormal(
            torch.zeros(size, device=x.device), torch.eye(size, device=x.device)
        )
        log_prob = (base.log_prob(z) + total).mean()
        """,
    ),
    _right(
        "right-maf-independent-normal",
        "Wraps its own Normal into Independent.",
        """
        from torch.distributions import Independent

        z, total = x, torch.zeros_like(x[:, 0])
        for block in self.nf:
            z, log_det = block.inverse(z)
            total = total + log_det.view(-1)
        base = Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1)
        log_prob = (base.log_prob(z) + total).mean()
        """,
    ),
    _right(
        "right-maf-negative-twice",
        "Computes the loss and negates it.",
        but(MAF_LOG_PROBS, (_END, "-(-base - total).mean()")),
    ),
    _right(
        "right-maf-pairs-of-layers",
        "Goes through the blocks and the reversals in pairs.",
        """
        z, total = x, 0
        for made, permute in zip(self.nf[::2], self.nf[1::2]):
            z, log_det = made.inverse(z)
            z, _ = permute.inverse(z)
            total = total + log_det
        log_prob = (self.base_dist.log_prob(z).sum(1) + total).mean(0)
        """,
    ),
    _right(
        "right-maf-while-loop",
        "Pops the layers from a list until it is empty.",
        """
        layers, z, total = list(self.nf), x.clone(), x.new_zeros(())
        while layers:
            z, log_det = layers.pop(0).inverse(z)
            total = total + log_det.sum() / len(x)
        log_prob = total + self.base_dist.log_prob(z).sum() / len(x)
        """,
    ),
    _right(
        "right-maf-in-float64",
        "Adds up in double precision and casts back.",
        but(
            MAF_LOG_PROBS,
            ("log_det.view(-1)", "log_det.view(-1).double()"),
            ("log_prob(z)", "log_prob(z.double())"),
            (_END, "(base + total).mean().float()"),
        ),
    ),
    _right(
        "right-maf-asks-the-network-itself",
        "Repeats the code of inverse() instead of calling it.",
        """
        total = 0
        for block in self.nf:
            if isinstance(block, MADE):
                mu, alpha = block.net(x).chunk(2, dim=1)
                x = (x - mu) * torch.exp(-alpha)
                total = total - alpha.sum(dim=1)
            else:
                x = x.flip(1)
        log_prob = (self.base_dist.log_prob(x).sum(dim=1) + total).mean()
        """,
    ),
)
