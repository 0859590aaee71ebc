"""Operations on what the networks give and are given, and ways to call them."""

# torch leaves backward without annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.homework.network_operations.networks import BATCH, OPERATIONS, Networks, operation


def _in_place(name: str, *arguments: Any) -> None:
    """Take an operation into the list that changes what a network gave, and leads to d."""

    def on_images(n: Networks) -> object:
        images = getattr(n.fake(), name)(*arguments)
        return images, n.judged(images).mean()

    def on_logits(n: Networks) -> object:
        logits = getattr(n.judged(n.fake()), name)(*arguments)
        return logits, logits.mean()

    OPERATIONS[f"images.{name}"] = on_images
    OPERATIONS[f"logits.{name}"] = on_logits


for _name, *_arguments in (
    ("clamp_", -1.0, 1.0),
    ("tanh_",),
    ("sigmoid_",),
    ("mul_", 0.5),
    ("add_", 1.0),
    ("neg_",),
    ("requires_grad_",),
):
    _in_place(_name, *_arguments)


# ---- what the networks give -----------------------------------------------------------------


@operation
def plain(n: Networks) -> object:
    """Call both."""
    images = n.fake()
    return images, n.judged(images), n.judged(n.x_real)


@operation
def images_detached_in_place(n: Networks) -> object:
    """`g(z).detach_()`, as it stands in many discriminators' losses."""
    images = n.fake().detach_()
    return images, n.judged(images)


@operation
def images_requires_grad_after_detach(n: Networks) -> object:
    """Slopes of d at generated images that are a leaf."""
    images = n.fake().detach_().requires_grad_()
    n.judged(images).sum().backward()
    return images, images.grad


@operation
def images_reshaped_in_place(n: Networks) -> object:
    """Other dimensions for the same tensor, and back."""
    images = n.fake().squeeze_(1)
    return images, n.judged(images.unsqueeze_(1))


@operation
def images_written_into(n: Networks) -> object:
    """Some rows replaced by real images."""
    images = n.fake()
    images[::2] = n.x_real[::2]
    return images, n.judged(images)


@operation
def images_viewed(n: Networks) -> object:
    """A view needs memory that is laid out as that of the given network's."""
    images = n.fake()
    return images.view(BATCH, -1), images.data_ptr() % 4, images.is_contiguous()


@operation
def logits_viewed(n: Networks) -> object:
    """As a column."""
    return n.judged(n.x_real).view(-1, 1), n.judged(n.x_real).unsqueeze_(1)


@operation
def data(n: Networks) -> object:
    """The old-fashioned way to detach."""
    return n.fake().data, n.judged(n.fake().data), n.judged(n.x_real).data


@operation
def retain_grad(n: Networks) -> object:
    """Keep the gradients of what is no leaf."""
    images = n.fake()
    images.retain_grad()
    logits = n.judged(images)
    logits.retain_grad()
    logits.sum().backward()
    return images.grad, logits.grad


@operation
def tensor_hooks(n: Networks) -> object:
    """See the gradients as they come by."""
    seen: list[Tensor] = []
    images = n.fake()
    images.register_hook(seen.append)
    logits = n.judged(images)
    logits.register_hook(seen.append)
    logits.sum().backward()
    return seen


@operation
def parameter_hooks(n: Networks) -> object:
    """On every parameter of both."""
    seen: list[str] = []
    for parameter in [*n.g.parameters(), *n.d.parameters()]:
        parameter.register_hook(lambda gradient: seen.append(str(gradient.dtype)))
        parameter.register_post_accumulate_grad_hook(lambda _: seen.append("kept"))
    n.judged(n.fake()).sum().backward()
    return sorted(set(seen))


# ---- what the networks are given ------------------------------------------------------------


@operation
def inputs_of_other_kinds(n: Networks) -> object:
    """Not contiguous, expanded, a view, a Parameter, with a gradient."""
    z = nn.Parameter(n.z)
    expanded = n.x_real[:1].expand(BATCH, -1, -1, -1)
    last = n.x_real.to(memory_format=torch.channels_last)
    crossed = n.x_real.transpose(2, 3)
    return n.g(z, *n.y), n.judged(expanded), n.judged(last), n.judged(crossed)


@operation
def inputs_changed_before_the_call(n: Networks) -> object:
    """In place."""
    n.z.mul_(1.0)
    n.x_real.clamp_(-1.0, 1.0).requires_grad_()
    return n.fake(), n.judged(n.x_real)


@operation
def no_rows(n: Networks) -> object:
    """The last chunk of a batch that is cut into equal ones may be empty."""
    return n.judged(n.x_real), n.judged(n.x_real[:0])


@operation
def one_row(n: Networks) -> object:
    """A batch of one."""
    return n.judged(n.x_real[:1])


@operation
def cut_and_joined(n: Networks) -> object:
    """Real and fake images in one call."""
    y = [torch.cat([label, label]) for label in n.y]
    real, fake = n.d(torch.cat([n.x_real, n.fake()]), *y).chunk(2)
    return real, fake


# ---- how the networks are called ------------------------------------------------------------


@operation
def by_keyword(n: Networks) -> object:
    """With the names that the given networks' parameters have."""
    labels = {"y": n.y[0]} if n.y else {}
    return n.g(z=n.z, **labels), n.d(x=n.x_real, **labels)


@operation
def by_keyword_in_other_order(n: Networks) -> object:
    """The labels first."""
    labels = {"y": n.y[0]} if n.y else {}
    return n.g(**labels, z=n.z), n.d(**labels, x=n.x_real)


@operation
def labels_by_keyword(n: Networks) -> object:
    """The labels alone."""
    labels = {"y": n.y[0]} if n.y else {}
    return n.g(n.z, **labels), n.d(n.x_real, **labels), n.g.forward(n.z, **labels)


@operation
def by_forward(n: Networks) -> object:
    """Without the module's own call."""
    return n.g.forward(n.z, *n.y), n.d.forward(n.x_real, *n.y)


@operation
def in_data_parallel(n: Networks) -> object:
    """As for several GPUs; without one it only hands on."""
    return nn.DataParallel(n.g)(n.z, *n.y), nn.DataParallel(n.d)(n.x_real, *n.y)


@operation
def in_a_sequence(n: Networks) -> object:
    """Both as one network."""
    if n.y:
        return None
    return nn.Sequential(n.g, n.d)(n.z)


# ---- around the calls -----------------------------------------------------------------------


@operation
def under_no_grad(n: Networks) -> object:
    """Around g; then a gradient with respect to the images."""
    with torch.no_grad():
        images = n.fake()
    images.requires_grad_()
    return images, n.judged(images)


@operation
def under_inference_mode(n: Networks) -> object:
    """Around both, for numbers to look at."""
    with torch.inference_mode():
        images, logits = n.fake(), n.judged(n.x_real)
    return images.clone(), logits.clone()


@operation
def under_enable_grad(n: Networks) -> object:
    """Switched on where it is on."""
    with torch.enable_grad(), torch.set_grad_enabled(True):
        return n.judged(n.fake())


@operation
def without_autocast(n: Networks) -> object:
    """Autocast that is off."""
    with torch.autocast("cpu", enabled=False):
        return n.judged(n.fake().float())


@operation
def with_saved_tensors_hooks(n: Networks) -> object:
    """Saved tensors go through the student's hands."""
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x.clone(), lambda x: x):
        logits = n.judged(n.fake())
    logits.sum().backward()
    return logits


@operation
def with_anomaly_detection(n: Networks) -> object:
    """To look for NaN."""
    with torch.autograd.detect_anomaly(check_nan=True):
        logits = n.judged(n.fake())
        logits.sum().backward()
    return logits


@operation
def checkpointed(n: Networks) -> object:
    """Activations that are computed again when the gradient is taken."""
    images = checkpoint(n.g, n.z, *n.y, use_reentrant=False)
    logits = checkpoint(n.d, images, *n.y, use_reentrant=False)
    logits.sum().backward()
    return images, logits, [p.grad for p in n.d.parameters()][-1:]


@operation
def checkpointed_the_old_way(n: Networks) -> object:
    """By an autograd function of torch's."""
    logits = checkpoint(n.d, n.fake(), *n.y, use_reentrant=True)
    logits.sum().backward()
    return logits
