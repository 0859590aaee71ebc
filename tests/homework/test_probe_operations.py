"""What a loss may do with the given networks, it may do with those of the tests.

Every operation runs on the given networks and on the ones in their place; all must let it happen,
and what it gives must be alike in all that does not depend on the weights.
"""

# torch leaves backward without annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from autograder.engine.sandbox.experiment import Recorder
from autograder.homework.experiments.probes import ProbeCritic, ProbeGenerator
from autograder.homework.experiments.training import SmallDiscriminator, SmallGenerator
from autograder.homework.problems.arrays import gan_arrays
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.training_runs.gan_training import small_problem
from codebase.network import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    Discriminator,
    Generator,
)

BATCH, DIM_Z = 4, 4
# Hooks, create_graph and anomaly detection warn of what is done here on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The networks are small: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Networks:
    """A generator and a discriminator, called with labels where they take some."""

    def __init__(self, kind: str, conditional: bool) -> None:
        self.g, self.d = _made(kind, conditional)
        torch.manual_seed(0)
        self.z = torch.randn(BATCH, self.g.dim_z)
        self.x_real = torch.rand(BATCH, 1, 28, 28)
        self.y = [torch.tensor([3, 1, 4, 1])] if conditional else []

    def fake(self) -> Tensor:
        """Images that g makes."""
        images: Tensor = self.g(self.z, *self.y)
        return images

    def judged(self, x: Tensor) -> Tensor:
        """What d says of images."""
        logits: Tensor = self.d(x, *(y[: len(x)] for y in self.y))
        return logits

    def one(self, x: Tensor, *y: Tensor) -> Tensor:
        """What d says of a single image without a batch, as `vmap` and `grad` ask."""
        logit: Tensor = self.d(x[None], *(label[None] for label in y))[0]
        return logit

    def points(self) -> Tensor:
        """Images of which a gradient can be taken."""
        return torch.rand(BATCH, 1, 28, 28, requires_grad=True)


def _made(kind: str, conditional: bool) -> tuple[Any, Any]:
    if kind == "given":
        if conditional:
            return ConditionalGenerator(DIM_Z), ConditionalDiscriminator()
        return Generator(DIM_Z), Discriminator()
    if kind == "probe":
        case = GanCase(BATCH, DIM_Z, 1.5, conditional, 1)
        tensors = {name: torch.tensor(a) for name, a in gan_arrays(case, case.critic).items()}
        return ProbeGenerator(tensors, conditional), ProbeCritic(tensors, conditional)
    weights = small_problem(conditional, 0).weights
    tensors = {name: torch.tensor(a, dtype=torch.float32) for name, a in weights.items()}
    return SmallGenerator(tensors, conditional), SmallDiscriminator(tensors)


Operation = Callable[[Networks], object]
OPERATIONS: dict[str, Operation] = {}


def operation(function: Operation) -> Operation:
    """Take a function into the list under its own name."""
    OPERATIONS[function.__name__] = function
    return function


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


# ---- derivatives ----------------------------------------------------------------------------


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


# ---- the modules ----------------------------------------------------------------------------


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


# ---- the test -------------------------------------------------------------------------------


def facts(found: object) -> object:
    """All about what an operation gave that does not depend on the weights."""
    if isinstance(found, Tensor):
        return {
            "shape": tuple(found.shape),
            "dtype": found.dtype,
            "strides": found.stride(),
            "requires_grad": found.requires_grad,
            "is_leaf": found.is_leaf,
            "is_view": found._is_view(),
            "plain": type(found) is Tensor,
        }
    if isinstance(found, (tuple, list)):
        return [facts(one) for one in found]
    return found


@functools.cache
def of_given(name: str, conditional: bool) -> object:
    """The facts of an operation on the given networks."""
    return facts(OPERATIONS[name](Networks("given", conditional)))


@pytest.mark.parametrize("conditional", [False, True], ids=["plain", "with labels"])
@pytest.mark.parametrize("kind", ["probe", "small"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_probes_allow_the_same_operations_as_the_homeworks_networks(
    name: str, kind: str, conditional: bool
) -> None:
    """Outputs have the same shape, dtype, layout and requires_grad, and are views alike."""
    assert facts(OPERATIONS[name](Networks(kind, conditional))) == of_given(name, conditional)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_call_is_recorded_inside_any_transformation(name: str) -> None:
    """Copies, transformations and checkpoints hide nothing from the judge."""
    n = Networks("probe", conditional=False)
    if OPERATIONS[name](n) is None:
        return
    recorder = Recorder()
    n.g.report(recorder, "g")
    n.d.report(recorder, "d")
    assert recorder.values["g_calls"] or recorder.values["d_calls"]
