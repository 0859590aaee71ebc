"""Derivatives, taken in every way that torch offers."""

# torch leaves backward without annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch
from torch import Tensor

from tests.homework.network_operations.networks import Networks, operation


@operation
def slopes(n: Networks) -> object:
    """The gradient of the penalty, to be differentiated again."""
    points = n.points()
    (found,) = torch.autograd.grad(n.judged(points).sum(), points, create_graph=True)
    found.pow(2).sum().backward()
    return found, points.grad is not None


@operation
def slopes_by_backward(n: Networks) -> object:
    """The same, by what the images keep."""
    points = n.points()
    n.judged(points).sum().backward(create_graph=True)
    return points.grad


@operation
def slopes_by_vmap_of_grad(n: Networks) -> object:
    """torch.func's way."""
    return torch.func.vmap(torch.func.grad(n.one))(n.points(), *n.y)


@operation
def slopes_by_jacrev(n: Networks) -> object:
    """All of the Jacobian's blocks."""
    return torch.func.jacrev(n.judged)(n.points())


@operation
def slopes_by_vmap_of_jacrev(n: Networks) -> object:
    """One by one."""
    return torch.func.vmap(torch.func.jacrev(n.one))(n.points(), *n.y)


@operation
def slopes_by_vjp(n: Networks) -> object:
    """With a cotangent of ones."""
    logits, pull = torch.func.vjp(n.judged, n.points())  # type: ignore[misc]
    return logits, pull(torch.ones_like(logits))


@operation
def slopes_by_jvp(n: Networks) -> object:
    """Along one direction."""
    points = n.points()
    return torch.func.jvp(n.judged, (points,), (torch.ones_like(points),))


@operation
def slopes_by_jacfwd(n: Networks) -> object:
    """Forward, for few inputs."""
    steps = torch.zeros(3)
    return torch.func.jacfwd(lambda s: n.judged(n.x_real + s.sum()))(steps)


@operation
def slopes_by_grad_and_value(n: Networks) -> object:
    """Both at once."""
    return torch.func.grad_and_value(lambda x: n.judged(x).sum())(n.points())


@operation
def slopes_by_functional_jacobian(n: Networks) -> object:
    """The older interface."""
    return torch.autograd.functional.jacobian(n.judged, n.points(), create_graph=True)


@operation
def vmap_in_chunks_and_other_dimensions(n: Networks) -> object:
    """The batch last."""
    moved = n.x_real.movedim(0, -1)
    in_dims = (-1, *(0 for _ in n.y))
    return torch.func.vmap(n.one, in_dims=in_dims, chunk_size=3)(moved, *n.y)


@operation
def parameters_as_arguments(n: Networks) -> object:
    """torch.func.functional_call with detached parameters, with and without a gradient."""
    frozen = {name: p.detach() for name, p in n.d.named_parameters()}
    logits = torch.func.functional_call(n.d, frozen, (n.fake(), *n.y))

    def value(parameters: dict[str, Tensor]) -> Tensor:
        judged: Tensor = torch.func.functional_call(n.d, parameters, (n.x_real, *n.y))
        return judged.mean()

    gradients = torch.func.grad(value)(frozen)
    g_frozen = {name: p.detach() for name, p in n.g.named_parameters()}
    images = torch.func.functional_call(n.g, g_frozen, (n.z, *n.y))
    return logits, images, gradients.keys() == frozen.keys()
