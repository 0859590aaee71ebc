"""What only the private checks ask for: a diagnosis, and the training run beside them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from autograder.engine.catalogue.diagnosis import Diagnosis
from autograder.engine.judge.base_plugin import JUDGE
from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.training_runs.flow_training import FlowTraining


@pytest.fixture
def diagnosis() -> Diagnosis:
    """Names the mistake behind a failed check; the judge asks it."""
    return Diagnosis(WRONG)


_TRAINING: pytest.StashKey[FlowTraining] = pytest.StashKey()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the training run if a check will ask for it: first, since it takes the longest."""
    stash = session.config.stash
    judge = stash[JUDGE]
    if any("flow_training" in getattr(item, "fixturenames", ()) for item in session.items):
        stash[_TRAINING] = FlowTraining(
            judge.new_caller(), judge.settings, partial(judge.part_is_right, "1.2")
        )
        judge.background.add(stash[_TRAINING])


@pytest.fixture
def flow_training(request: pytest.FixtureRequest) -> Iterator[FlowTraining]:
    """The training run of the student's flow, under way since the session began."""
    training = request.config.stash[_TRAINING]
    yield training
    training.close()
