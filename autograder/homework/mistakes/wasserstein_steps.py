"""The WGAN-GP loss of d in steps; an entry names the steps that it changes."""

from __future__ import annotations

import textwrap

_STEPS = {
    "x_fake": "x_fake = g(z).detach()",
    "alpha": "alpha = torch.rand(batch_size, 1, 1, 1, device=device)",
    "points": "points = (alpha * x_fake + (1 - alpha) * x_real).requires_grad_()",
    "slopes": "(slopes,) = torch.autograd.grad(d(points).sum(), points, create_graph=True)",
    "norms": "norms = slopes.flatten(1).norm(dim=1)",
    "penalty": "penalty = ((norms - 1) ** 2).mean()",
    "d_loss": "d_loss = d(x_fake).mean() - d(x_real).mean() + 10 * penalty",
}


def with_step(**changed: str) -> str:
    """Return the code of the loss with some steps replaced.

    Args:
        changed: the new code of a step, one or more lines, by the name that the step assigns to.

    Raises:
        ValueError: there is no such step.
    """
    unknown = ", ".join(changed.keys() - _STEPS.keys())
    if unknown:
        raise ValueError(f"no step {unknown} in the WGAN-GP loss; there are {', '.join(_STEPS)}")
    steps = {**_STEPS, **changed}
    return "\n".join(textwrap.dedent(code).strip("\n") for code in steps.values()) + "\n"
