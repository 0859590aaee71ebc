"""What a loss may do with the given networks, it may do with those of the tests.

Every operation runs on the given networks and on the ones in their place; all must let it happen,
and what it gives must be alike in all that does not depend on the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from autograder.engine.sandbox.experiment import Recorder
from tests.homework.network_operations import OPERATIONS, Networks

# Hooks, create_graph and anomaly detection warn of what is done here on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The networks are small: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
