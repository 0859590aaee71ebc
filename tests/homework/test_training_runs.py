"""Training runs: when the flow is trained again, and how a small GAN is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from autograder.engine.homework import Homework
from autograder.engine.judge.caller import Caller
from autograder.engine.judge.calls import Call, Ending, Outcome
from autograder.engine.judge.exceptions import CheckFailed, NotAttempted, WorkerLost
from autograder.engine.sandbox.frames import Array
from autograder.homework.experiments.training import FlatAdam
from autograder.homework.oracles import flow
from autograder.homework.training_runs import gan_training as trained_gan
from autograder.homework.training_runs.flow_training import (
    ORDERS,
    FlowTraining,
    Trained,
)
from autograder.homework.training_runs.gan_training import GanTraining, share_covered, small_problem
from autograder.homework.training_runs.start import KNOWN_FLOWS
from tests.this_homework import THIS

GAVE_UP = None
FUNCTIONS = ("loss_nonsaturating_d", "loss_nonsaturating_g")

Answer = Callable[[Mapping[str, Any], Mapping[str, Array]], Outcome | BaseException]


class StubCaller:
    """Returns prepared answers to started calls, and remembers the arguments."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.started: list[Mapping[str, Any]] = []
        self.functions: list[tuple[str, ...]] = []
        self.closed = False

    def start(self, call: Call) -> Outcome | BaseException:
        """Return the answer itself in place of a pending call."""
        self.started.append(call.arguments)
        self.functions.append(tuple(call.functions))
        self.closed = False
        return self.answer(call.arguments, call.arrays)

    def finish(self, pending: Outcome | BaseException) -> Outcome:
        """Return the answer, or raise it."""
        if isinstance(pending, BaseException):
            raise pending
        return pending

    def close(self) -> None:
        """Note it."""
        self.closed = True


# ---- the flow -------------------------------------------------------------------------------


@pytest.fixture
def homework() -> Homework:
    """The homework's own settings."""
    return THIS


Train = Callable[..., tuple[FlowTraining, StubCaller]]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, homework: Homework) -> Train:
    """A training whose runs end with these log-likelihoods or exceptions, one after the other."""

    def make(
        *reached: float | BaseException | None, inverse_is_right: bool = True
    ) -> tuple[FlowTraining, StubCaller]:
        values = [np.full(3, value) for value in reached if isinstance(value, float)]
        ends: Iterator[float | BaseException | None] = iter(reached)
        monkeypatch.setattr(flow, "maf_log_prob", lambda *_: values.pop(0))

        def answer(
            _arguments: Mapping[str, Any], arrays: Mapping[str, Array]
        ) -> Outcome | BaseException:
            end = next(ends)
            if isinstance(end, BaseException):
                return end
            values = {"gave_up_at_step": 7} if end is GAVE_UP else {}
            return Outcome(Ending.RETURNED, values, dict(arrays))

        caller = StubCaller(answer)
        training = FlowTraining(cast(Caller, caller), homework, lambda: inverse_is_right)
        return training, caller

    return make


def test_a_run_that_reaches_the_threshold_is_the_only_one(train: Train) -> None:
    """A second run is for bad luck only: it would cost every grading its time."""
    training, caller = train(-1.2)
    assert training.result.log_likelihood == pytest.approx(-1.2)
    assert len(caller.started) == 1


@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        ((-1.3, -1.2), -1.2),
        ((GAVE_UP, -1.2), -1.2),
        ((-1.3, GAVE_UP, -1.2), -1.2),
        ((-1.4, -1.3, GAVE_UP, -1.5), -1.3),
    ],
)
def test_bad_luck_gets_more_runs_with_other_orders(
    train: Train, reached: tuple[float | None, ...], expected: float
) -> None:
    """Just below the threshold, or stopped: it is run again, and the best run counts."""
    training, caller = train(*reached)
    assert training.result.log_likelihood == pytest.approx(expected)
    orders = {arguments["order_seed"] for arguments in caller.started}
    assert len(orders) == len(caller.started) == len(reached)


def test_a_run_that_is_far_off_is_not_repeated(train: Train) -> None:
    """No order of the batches explains a likelihood that is nats away."""
    training, caller = train(-4.0)
    assert training.result.log_likelihood == pytest.approx(-4.0)
    assert len(caller.started) == 1


def assert_result(training: FlowTraining, expected: Trained) -> None:
    """A run came to this, up to rounding."""
    assert training.result.log_likelihood == pytest.approx(expected.log_likelihood)
    assert training.result.with_known_blocks is expected.with_known_blocks


ENDS_BADLY = (
    -4.0,
    CheckFailed("It raised."),
    WorkerLost("It hung."),
    NotAttempted("It is a stub."),
)


@pytest.mark.parametrize("own", ENDS_BADLY)
def test_known_maps_replace_an_incorrect_inverse(train: Train, own: Any) -> None:
    """Its mistake has already cost points in 1.2; log_probs is judged without it."""
    training, caller = train(own, -1.2, inverse_is_right=False)
    assert_result(training, Trained(-1.2, with_known_blocks=True))
    assert caller.started[1]["n_flows"] == KNOWN_FLOWS
    # What hangs in MADE.inverse is not held against the second run.
    assert "made_inverse" in caller.functions[0]
    assert not {"made_inverse", "train_flow"} & set(caller.functions[1])


@pytest.mark.parametrize("own", ENDS_BADLY)
def test_a_bad_run_with_a_correct_inverse_is_not_repeated(train: Train, own: Any) -> None:
    """The mistake is in 1.3 then."""
    training, caller = train(own, -1.2)
    if isinstance(own, float):
        assert_result(training, Trained(own, with_known_blocks=False))
    else:
        with pytest.raises(type(own)):
            _ = training.result
    assert len(caller.started) == 1


def test_a_run_that_ends_well_needs_no_known_maps(train: Train) -> None:
    """Nor with an incorrect inverse: it costs time."""
    training, caller = train(-1.2, inverse_is_right=False)
    assert_result(training, Trained(-1.2, with_known_blocks=False))
    assert len(caller.started) == 1


@pytest.mark.parametrize(
    ("own", "known", "expected"),
    [
        (-1.3, CheckFailed("It raised."), Trained(-1.3, False)),
        (-4.0, -2.0, Trained(-2.0, True)),
        (-2.0, -4.0, Trained(-2.0, False)),
    ],
)
def test_the_better_run_counts(train: Train, own: float, known: Any, expected: Trained) -> None:
    """The second run takes nothing away that the first one earned."""
    first = [own] * (len(ORDERS) if own == -1.3 else 1)
    training, _ = train(*first, known, inverse_is_right=False)
    assert_result(training, expected)


def test_the_known_maps_show_an_incorrect_log_probs_despite_an_incorrect_inverse(
    train: Train,
) -> None:
    """The feedback is about log_probs, where no mistake of 1.2 plays a part."""
    training, _ = train(
        CheckFailed("MADE raised."), CheckFailed("log_probs raised."), inverse_is_right=False
    )
    with pytest.raises(CheckFailed, match=r"log_probs raised\."):
        _ = training.result


def test_runs_that_always_stop_early_fail(train: Train) -> None:
    """NaN again and again is no bad luck."""
    training, _ = train(*[GAVE_UP] * len(ORDERS))
    with pytest.raises(CheckFailed, match="met NaN or infinite values again and again"):
        _ = training.result


def test_an_impossible_likelihood_fails(train: Train) -> None:
    """No flow is better than the moons' own density."""
    training, _ = train(-1.0)
    with pytest.raises(
        CheckFailed, match=r"reaches -1 nats .* data's own density gives about -1.13"
    ):
        _ = training.result


def test_huge_weights_are_not_evaluated(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding could give them any likelihood."""
    training, _ = train(-1.2)
    training.start()
    pending = cast(Outcome, training._pending)
    arrays = {name: array.copy() for name, array in pending.arrays.items()}
    arrays["block3.bias2"][0] = 1e30
    monkeypatch.setattr(training, "_pending", Outcome(Ending.RETURNED, {}, arrays))
    with pytest.raises(CheckFailed, match="left weights with absolute values above 1000"):
        _ = training.result


# ---- the small GANs ---------------------------------------------------------------------------


def moved(share: float, conditional: bool) -> tuple[GanTraining, StubCaller]:
    """A run that moves the generator's mean images this share of the way to the data's."""
    problem = small_problem(conditional, 1)

    def answer(_arguments: Mapping[str, Any], arrays: Mapping[str, Array]) -> Outcome:
        after = {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}
        # Without classes all mean images are the same one, and the bias alone can reach it.
        name = "g.label_embedding" if conditional else "g.bias"
        made = after["g.bias"] + (after["g.label_embedding"] if conditional else 0.0)
        way = problem.means - made
        after[name] = after[name] + share * (way if conditional else way[0])
        values = {
            name: {"kind": "tensor", "dtype": "float32", "shape": list(array.shape)}
            for name, array in after.items()
        }
        return Outcome(
            Ending.RETURNED, values, {name: a.astype(np.float32) for name, a in after.items()}
        )

    caller = StubCaller(answer)
    prefix = "conditional_" if conditional else ""
    d, g = FUNCTIONS
    return GanTraining(cast(Caller, caller), 1, (f"{prefix}{d}", f"{prefix}{g}")), caller


@pytest.mark.parametrize("conditional", [False, True])
def test_a_generator_that_moves_near_its_data_passes(conditional: bool) -> None:
    """A little more than the required share is enough; the worker ends with the run."""
    training, caller = moved(trained_gan.REQUIRED_SHARE + 0.01, conditional)
    training.check()
    training.close()
    assert caller.closed


@pytest.mark.parametrize("conditional", [False, True])
def test_a_generator_that_stays_where_it_was_fails(conditional: bool) -> None:
    """A little less is not, and the numbers show how far it moved."""
    training, _ = moved(trained_gan.REQUIRED_SHARE - 0.01, conditional)
    with pytest.raises(CheckFailed, match="does not learn its data") as caught:
        training.check()
    said = caught.value.feedback(public=True)
    assert "It moved 34% of the way to the mean image" in said
    assert "at least 35% is required" in said


@pytest.mark.parametrize("conditional", [False, True])
def test_a_generator_that_moves_away_gets_its_own_sentence(conditional: bool) -> None:
    """Not "-25% of the way"."""
    training, _ = moved(-0.25, conditional)
    with pytest.raises(CheckFailed) as caught:
        training.check()
    said = caught.value.feedback(public=True)
    assert "It moved away from the mean image" in said
    assert "by 25% of its first distance" in said
    assert "-25%" not in said


def test_a_generator_that_hardly_moves_moves_by_nothing() -> None:
    """Neither -0% of the way nor 0% away from it."""
    training, _ = moved(-0.001, conditional=False)
    with pytest.raises(CheckFailed, match="does not learn") as caught:
        training.check()
    assert "moved 0% of the way" in caught.value.feedback(public=True)


def test_a_missing_file_is_reported_by_the_check() -> None:
    """Starting early must not end the whole session."""

    def answer(_arguments: Mapping[str, Any], _arrays: Mapping[str, Array]) -> Outcome:
        raise NotAttempted("Not attempted: codebase/gan.py is not in the submission.")

    training = GanTraining(cast(Caller, StubCaller(answer)), 1, FUNCTIONS)
    with pytest.raises(NotAttempted, match="not in the submission"):
        training.check()


def test_a_generator_that_moves_away_has_a_negative_share() -> None:
    """The share is a projection on the way to the data: the other direction is negative."""
    problem = small_problem(False, 1)
    away = {**problem.weights, "g.bias": 2 * problem.weights["g.bias"] - problem.means[0]}
    assert share_covered(problem, away) == pytest.approx(-1.0)


# ---- the optimiser --------------------------------------------------------------------------


def test_a_network_whose_values_were_moved_still_learns() -> None:
    """`net.double()` and back, within a loss, gives every parameter another place in memory."""
    net = nn.Linear(2, 1)
    optimiser = FlatAdam(net.parameters())
    before = net.weight.detach().clone()
    loss = net.double().float()(torch.ones(1, 2)).sum()
    optimiser.zero_gradient()
    loss.backward()
    optimiser.gradient_norm()
    optimiser.step(0.1)
    assert (net.weight != before).all()
