"""The solution regions of problem 1, each with a plain solution that entries change."""

from __future__ import annotations

FORWARD = "1.1 MADE.forward"
INVERSE = "1.2 MADE.inverse"
LOG_PROBS = "1.3 MAF.log_probs"

MADE_FORWARD = """
x = torch.zeros_like(z)
for i in range(self.input_size):
    mu, alpha = self.net(x).chunk(2, dim=1)
    x[:, i] = mu[:, i] + z[:, i] * torch.exp(alpha[:, i])
log_det = alpha.sum(dim=1)
"""

MADE_INVERSE = """
mu, alpha = self.net(x).chunk(2, dim=1)
z = (x - mu) * torch.exp(-alpha)
log_det = -alpha.sum(dim=1)
"""

MAF_LOG_PROBS = """
z = x
total = torch.zeros(x.shape[0], device=x.device)
for block in self.nf:
    z, log_det = block.inverse(z)
    total = total + log_det.view(-1)
base = self.base_dist.log_prob(z).sum(dim=1)
log_prob = (base + total).mean()
"""


def but(code: str, *changes: tuple[str, str]) -> str:
    """Return code with pieces of it replaced.

    Args:
        code: one of the texts above.
        changes: pairs of a piece, which occurs exactly once, and its replacement.

    Raises:
        ValueError: a piece does not occur exactly once.
    """
    for piece, instead in changes:
        if code.count(piece) != 1:
            raise ValueError(
                f"{piece!r} must occur once, found {code.count(piece)} times in {code}"
            )
        code = code.replace(piece, instead)
    return code
