"""What the checks ask for: the student, a diagnosis, and what runs beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autograder.engine.assignment import Assignment
from autograder.engine.judge.plugin import JUDGE
from autograder.engine.judge.session import Caller
from autograder.homework.device_advice import DeviceAdvice
from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.mistakes.diagnosis import Diagnosis
from autograder.homework.student import Student
from autograder.homework.trained_flow import FlowTraining


@pytest.fixture
def student(caller: Caller, assignment: Assignment) -> Student:
    """The submission, called in a worker that serves this check only."""
    return Student(caller, assignment.seed)


@pytest.fixture
def diagnosis() -> Diagnosis:
    """Names the mistake behind a failed check; the judge asks it."""
    return Diagnosis(WRONG)


_TRAINING: pytest.StashKey[FlowTraining] = pytest.StashKey()
_DEVICES: pytest.StashKey[DeviceAdvice] = pytest.StashKey()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what goes on beside the checks, if any check will ask for it."""
    stash = session.config.stash
    judge = stash[JUDGE]
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if "flow_training" in wanted:
        stash[_TRAINING] = FlowTraining(judge.new_caller(), judge.settings)
    if "device_advice" in wanted:
        stash[_DEVICES] = DeviceAdvice(judge.new_caller())


@pytest.fixture
def flow_training(request: pytest.FixtureRequest) -> Iterator[FlowTraining]:
    """The training run of the student's flow, under way since the session began."""
    training = request.config.stash[_TRAINING]
    yield training
    training.close()


@pytest.fixture
def device_advice(request: pytest.FixtureRequest) -> DeviceAdvice:
    """What is to be said about devices; one run serves all checks that ask."""
    return request.config.stash[_DEVICES]
