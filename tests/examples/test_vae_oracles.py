"""The mathematics of examples/vae: its oracles against torch, its tests of noise against draws."""

# mypy: disable-error-code=no-untyped-call
# Of torch.distributions, which has no types.
from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from autograder import CheckFailed
from vae import noise, oracles
from vae.cases import ElboCase, GaussianCase
from vae.problems import Array, FixedElbo
from vae.recovered import ElboCall
from vae.student import Elbo

CASES = [ElboCase(3, 2, 4, 1), ElboCase(5, 3, 6, 2), ElboCase(4, 2, 6, 1, sure=True)]


def test_log_normal_and_its_gradients_are_those_of_torch() -> None:
    """In float64, to rounding."""
    case = GaussianCase(4, 3, 0)
    x, m, v = (torch.tensor(each, requires_grad=True) for each in (case.x, case.m, case.v))
    value = torch.distributions.Normal(m, v.sqrt()).log_prob(x).sum(-1)
    bar = case.bar[:, 0]
    (value * torch.tensor(bar)).sum().backward()
    np.testing.assert_allclose(oracles.log_normal(case.x, case.m, case.v), value.detach().numpy())
    gradients = oracles.log_normal_gradients(case.x, case.m, case.v, bar)
    for name, tensor in (("x", x), ("m", m), ("v", v)):
        assert tensor.grad is not None
        np.testing.assert_allclose(gradients[name], tensor.grad.numpy(), err_msg=name)


@pytest.mark.parametrize(
    ("case", "closed_form"), list(itertools.product(CASES, (True, False))), ids=str
)
def test_the_bound_and_its_gradient_are_those_of_torch(case: ElboCase, closed_form: bool) -> None:
    """Both forms of kl, the gradient through the sample included."""
    w = {k: torch.tensor(each, requires_grad=True) for k, each in case.weights.items()}
    x = torch.tensor(case.x)
    m = x @ w["encoder.m_weight"].T + w["encoder.m_bias"]
    v = torch.exp(x @ w["encoder.v_weight"].T + w["encoder.v_bias"])
    q = torch.distributions.Normal(m, v.sqrt())
    p = torch.distributions.Normal(torch.zeros_like(m), torch.ones_like(m))
    torch.manual_seed(0)
    z = q.rsample()
    logits = torch.tanh(z) @ w["decoder.weight"].T + w["decoder.bias"]
    rec = -torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(-1).mean()
    if closed_form:
        kl = torch.distributions.kl_divergence(q, p).sum(-1).mean()
    else:
        kl = (q.log_prob(z) - p.log_prob(z)).sum(-1).mean()
    (kl + rec).backward()
    bound = oracles.Bound(case, z.detach().numpy())
    assert bound.rec == pytest.approx(rec.item())
    assert bound.kl(kl.item()) == pytest.approx(kl.item())
    gradient = bound.gradient(closed_form=closed_form)
    call = ElboCall(bound, Elbo(0.0, kl.item(), rec.item(), bound.z, gradient))
    assert call.closed_form == closed_form
    assert set(gradient) == set(w)
    for name, weight in w.items():
        assert weight.grad is not None
        np.testing.assert_allclose(gradient[name], weight.grad.numpy(), 1e-9, 1e-12, err_msg=name)


@pytest.mark.parametrize("closed_form", [True, False])
def test_where_both_forms_of_kl_are_equal_the_gradient_decides(closed_form: bool) -> None:
    """At z = m + sqrt(v) with v = 1 and m = 0, both are 0; their gradients differ."""
    weights = {name: 0 * array for name, array in ElboCase(2, 1, 3, 0).weights.items()}
    bound = oracles.Bound(FixedElbo(weights, np.ones((2, 3))), np.ones((2, 1)))
    gradient = bound.gradient(closed_form=closed_form)
    call = ElboCall(bound, Elbo(0.0, 1e-7, 0.0, bound.z, gradient))
    assert call.closed_form == closed_form


def test_the_sample_moves_with_mean_and_variance_as_in_torch() -> None:
    """The gradient of m + sqrt(v) noise."""
    case = GaussianCase(4, 3, 0)
    m, v = (torch.tensor(each, requires_grad=True) for each in (case.m, case.v))
    drawn = torch.randn(4, 3, dtype=torch.float64)
    ((m + torch.sqrt(v) * drawn) * torch.tensor(case.bar)).sum().backward()
    gradients = oracles.sample_gradients(drawn.numpy(), case.v, case.bar)
    assert m.grad is not None
    assert v.grad is not None
    np.testing.assert_allclose(gradients["m"], m.grad.numpy())
    np.testing.assert_allclose(gradients["v"], v.grad.numpy())


def draw(seed: int = 0) -> Array:
    """Noise as correct solutions draw it, (calls, B, D)."""
    return np.random.default_rng(seed).standard_normal((noise.CALLS, noise.BATCH, noise.SIZE))


def test_correct_noise_passes() -> None:
    """A hundred times; a bound that is too tight by a quarter would fail here."""
    for seed in range(100):
        noise.check_normal("f", draw(seed))
        noise.check_independent("f", draw(seed))


def test_a_wrong_scale_is_no_dependence() -> None:
    """As in z = m + v noise, where only the variance is wrong."""
    scale = 10 ** np.random.default_rng(1).uniform(-1, 1, (noise.BATCH, noise.SIZE))
    noise.check_independent("f", scale * draw())
    with pytest.raises(CheckFailed, match="not standard normal"):
        noise.check_normal("f", scale * draw())


def _uniform(drawn: Array) -> Array:
    rng = np.random.default_rng(1)
    uniform: Array = rng.uniform(-np.sqrt(3), np.sqrt(3), drawn.shape)
    return uniform


@pytest.mark.parametrize(
    "change",
    [
        lambda drawn: 1.1 * drawn,
        lambda drawn: drawn + 0.1,
        _uniform,
        lambda drawn: np.clip(drawn, -1, 1),
    ],
)
def test_noise_that_is_not_standard_normal_is_refused(change: Callable[[Array], Array]) -> None:
    """Another scale, mean or shape."""
    with pytest.raises(CheckFailed, match="not standard normal"):
        noise.check_normal("f", change(draw()))


@pytest.mark.parametrize(("axis", "name"), list(enumerate(("calls", "examples", "entries"))))
def test_shared_and_dependent_noise_is_refused(axis: int, name: str) -> None:
    """Half of the calls, examples or entries repeat others, or their negative, or one of them."""
    for seed in range(20):
        drawn = np.moveaxis(draw(seed), axis, 0)
        half = len(drawn) // 2
        once = drawn[:1].repeat(len(drawn), axis=0)
        for other in (drawn[:half], -drawn[:half], once[half:]):
            changed = np.moveaxis(np.concatenate([drawn[:half], other]), 0, axis)
            with pytest.raises(CheckFailed, match=f"for different {name}.* is not independent"):
                noise.check_independent("f", changed)
        with pytest.raises(CheckFailed, match=f"for different {name}.* is not independent"):
            noise.check_independent("f", np.moveaxis(once, 0, axis))
        with pytest.raises(CheckFailed, match=f"for different {name}.* is the same"):
            noise.check_normal("f", np.moveaxis(2 * once, 0, axis))
