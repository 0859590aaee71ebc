"""The WGAN-GP loss of d, one step a line, so that an entry need only say which line it changes."""

from __future__ import annotations

_STEPS = """
x_fake = g(z).detach()
alpha = torch.rand(batch_size, 1, 1, 1, device=device)
points = (alpha * x_fake + (1 - alpha) * x_real).requires_grad_()
(slopes,) = torch.autograd.grad(d(points).sum(), points, create_graph=True)
norms = slopes.flatten(1).norm(dim=1)
penalty = ((norms - 1) ** 2).mean()
d_loss = d(x_fake).mean() - d(x_real).mean() + 10 * penalty
"""


def with_step(*changed: str) -> str:
    """Return the loss with the lines that assign to the same names replaced by these.

    Args:
        changed: assignments; a text may have several lines, the first one decides its place.

    Raises:
        ValueError: no line assigns to that name.
    """
    lines = _STEPS.strip().splitlines()
    for text in changed:
        text = text.strip("\n")
        places = [n for n, line in enumerate(lines) if _target(line) == _target(text)]
        if not places:
            raise ValueError(f"no step of the WGAN-GP loss assigns to {_target(text)!r}")
        lines[places[0]] = text
    return "\n".join(lines) + "\n"


def _target(text: str) -> str:
    return text.partition(" = ")[0].strip("( ,)")
