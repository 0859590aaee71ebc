"""Operations on the networks as modules: hooks, copies, parameters and modes."""

# torch leaves backward without annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import contextlib
import copy

import torch
from torch import nn
from torch.nn import functional as F

from tests.homework.network_operations.networks import Networks, operation


@operation
def module_hooks(n: Networks) -> object:
    """All kinds, on both."""
    seen: list[str] = []
    for net in (n.g, n.d):
        net.register_forward_pre_hook(lambda *_: seen.append("before"))
        net.register_forward_hook(lambda *_: seen.append("after"))
        net.register_full_backward_pre_hook(lambda *_: seen.append("backward"))
        net.register_full_backward_hook(lambda *_: seen.append("gradient"))
    logits = n.judged(n.fake())
    logits.sum().backward()
    return logits, seen


@operation
def module_hooks_with_keywords(n: Networks) -> object:
    """A hook that changes what comes out, and one that sees the keywords."""
    seen: list[str] = []

    def note(_net: nn.Module, _positional: object, named: dict[str, object]) -> None:
        seen.extend(named)

    n.d.register_forward_pre_hook(note, with_kwargs=True)
    handle = n.d.register_forward_hook(lambda _net, _given, logits: logits * 2)
    logits = n.d(x=n.x_real, **({"y": n.y[0]} if n.y else {}))
    handle.remove()
    return logits, seen


@operation
def hooks_of_a_copy(n: Networks) -> object:
    """They belong to it alone."""
    seen: list[str] = []
    twin = copy.deepcopy(n.d)
    twin.register_forward_hook(lambda *_: seen.append("called"))
    n.judged(n.x_real)
    return list(seen), twin(n.x_real, *n.y), list(seen)


@operation
def deep_copies(n: Networks) -> object:
    """They have parameters, a mode and requires_grad of their own."""
    g, d = copy.deepcopy(n.g), copy.deepcopy(n.d).requires_grad_(False).eval()
    same = [p is q for p, q in zip(d.parameters(), n.d.parameters(), strict=True)]
    return d(g(n.z, *n.y), *n.y), any(same), n.d.training, next(n.d.parameters()).requires_grad


@operation
def shallow_copy(n: Networks) -> object:
    """It shares the parameters."""
    d = copy.copy(n.d)
    return d(n.x_real, *n.y), next(d.parameters()) is next(n.d.parameters())


@operation
def copy_in_double(n: Networks) -> object:
    """A copy with float64 parameters."""
    d = copy.deepcopy(n.d).double()
    return d(n.x_real.double(), *n.y)


@operation
def moved_to_where_they_are(n: Networks) -> object:
    """Nothing changes."""
    g = n.g.to("cpu").float().cpu().to(torch.float32).to(device=torch.device("cpu"))
    d = n.d.to(n.x_real.device).to(memory_format=torch.channels_last).type(torch.float32)
    return d(g(n.z, *n.y), *n.y), g is n.g, d is n.d


@operation
def in_double_and_back(n: Networks) -> object:
    """The network itself, for a moment."""
    logits = n.d.double()(n.x_real.double(), *n.y)
    return logits, n.d.float()(n.x_real, *n.y)


@operation
def state_saved_and_loaded(n: Networks) -> object:
    """Into itself, and into a copy."""
    twin = copy.deepcopy(n.d)
    loaded = [twin.load_state_dict(n.d.state_dict()), n.d.load_state_dict(twin.state_dict())]
    n.g.load_state_dict(copy.deepcopy(n.g.state_dict()))
    return n.judged(n.fake()), [str(one) for one in loaded]


@operation
def parameters_taken(n: Networks) -> object:
    """Lists, vectors, names; gradients set to None and zero."""
    vector = nn.utils.parameters_to_vector(n.d.parameters())
    n.judged(n.fake()).sum().backward()
    nn.utils.clip_grad_norm_(n.d.parameters(), 1.0)
    n.d.zero_grad()
    n.g.zero_grad(set_to_none=False)
    named = [name for name, _ in n.d.named_parameters()]
    left = [p.grad is None for p in n.d.parameters()]
    return vector.dtype, vector.requires_grad, len(named) == len(left), all(left)


@operation
def frozen_and_thawed(n: Networks) -> object:
    """For the generator's loss."""
    n.d.requires_grad_(False)
    logits = n.judged(n.fake())
    real = n.judged(n.x_real)
    n.d.requires_grad_(True)
    return logits, real


@operation
def modes_toggled(n: Networks) -> object:
    """Evaluation and back, before the call."""
    n.g.eval()
    n.g.train()
    before = n.d.training
    n.d.eval()
    logits = n.judged(n.fake())
    n.d.train(before)
    return logits, n.g.training, n.d.training, [m.training for m in n.g.modules()][:1]


@operation
def walked_through(n: Networks) -> object:
    """Modules, buffers and a function applied to all."""
    logits = n.judged(n.x_real)
    counted: list[nn.Module] = []
    n.g.apply(counted.append)
    n.d.apply(lambda module: isinstance(module, nn.BatchNorm2d) and module.eval())
    return len(counted) == len(list(n.g.modules())), list(n.d.buffers()), bool(repr(n.d)), logits


@operation
def asked_for_what_is_not_there(n: Networks) -> object:
    """As code for several GPUs does."""
    d = getattr(n.d, "module", n.d)
    with contextlib.suppress(AttributeError):
        n.g.device  # noqa: B018 - that it raises is the point
    return d(n.x_real, *n.y), hasattr(n.g, "module"), n.g.dim_z, getattr(n.g, "num_classes", None)


@operation
def attributes_set(n: Networks) -> object:
    """A note of the student's own."""
    n.d.calls = 3
    n.d.register_buffer("count", torch.zeros(1))
    return n.d.calls, n.d.count, n.judged(n.x_real)


@operation
def losses_of_torch(n: Networks) -> object:
    """Targets made like the logits, or by their size."""
    logits = n.judged(n.fake())
    target = torch.ones(logits.size(0))
    return (
        F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits)),
        nn.BCELoss()(logits.sigmoid(), target),
        logits.new_zeros(logits.shape),
    )
