"""Fixtures of the private checks: the student, the diagnosis, the training run of the flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from autograder.engine.homework import Homework
from autograder.engine.judge.base_plugin import JUDGE
from autograder.engine.judge.calls import Caller
from autograder.engine.judge.diagnosis import Diagnosis, Mistake
from autograder.homework.kept_replies import KeptReplies
from autograder.homework.student import Student
from autograder.homework.training_runs.flow_training import FlowTraining


@pytest.fixture(scope="session")
def kept_replies() -> KeptReplies:
    """Replies to earlier checks."""
    return KeptReplies()


@pytest.fixture
def student(caller: Caller, homework: Homework, kept_replies: KeptReplies) -> Student:
    """The submission, called in a fresh worker for each check that asks something new."""
    return Student(caller, homework.seed, kept_replies)


@pytest.fixture
def diagnosis() -> Diagnosis:
    """Names the mistake behind a failed check."""
    return Diagnosis(_mistakes)


def _mistakes() -> Sequence[Mistake]:
    from autograder.homework.mistakes.catalogue import WRONG  # only a failed check needs them

    return WRONG


_TRAINING: pytest.StashKey[FlowTraining] = pytest.StashKey()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare the training run if a check needs it; first, because it takes longest."""
    stash = session.config.stash
    judge = stash[JUDGE]
    if any("flow_training" in getattr(item, "fixturenames", ()) for item in session.items):
        stash[_TRAINING] = FlowTraining(
            judge.new_caller(), judge.settings, partial(judge.part_is_right, "1.2")
        )
        judge.background.add(stash[_TRAINING])


@pytest.fixture
def flow_training(request: pytest.FixtureRequest) -> Iterator[FlowTraining]:
    """The training run of the student's flow, started with the session."""
    training = request.config.stash[_TRAINING]
    yield training
    training.close()
