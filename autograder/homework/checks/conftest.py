"""Fixtures of all checks: the student, the training runs of small GANs, the advice on devices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autograder.engine.homework import Homework
from autograder.engine.judge.base_plugin import JUDGE
from autograder.engine.judge.calls import Caller
from autograder.homework.student import Student
from autograder.homework.training_runs.device_advice import DeviceAdvice
from autograder.homework.training_runs.gan_training import GanTraining


@pytest.fixture
def student(caller: Caller, homework: Homework) -> Student:
    """The submission, called in a fresh worker for each check."""
    return Student(caller, homework.seed)


_DEVICES: pytest.StashKey[DeviceAdvice] = pytest.StashKey()
_GANS: pytest.StashKey[dict[str, GanTraining]] = pytest.StashKey()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare the background runs that the selected checks need."""
    stash = session.config.stash
    judge = stash[JUDGE]
    needed_by: dict[str, list[pytest.Function]] = {}
    for item in session.items:
        if isinstance(item, pytest.Function):
            for name in item.fixturenames:
                needed_by.setdefault(name, []).append(item)
    if advised := needed_by.get("device_advice"):
        functions = [name for item in advised for name in item.module.FUNCTIONS]
        stash[_DEVICES] = DeviceAdvice(judge.new_caller(), functions)
        judge.background.add(stash[_DEVICES])
    stash[_GANS] = {
        item.nodeid: GanTraining(judge.new_caller(), judge.settings.seed, item.module.FUNCTIONS)
        for item in needed_by.get("gan_training", ())
    }
    for training in stash[_GANS].values():
        judge.background.add(training)


@pytest.fixture
def device_advice(request: pytest.FixtureRequest) -> DeviceAdvice:
    """The advice on devices; one run serves all checks."""
    return request.config.stash[_DEVICES]


@pytest.fixture
def gan_training(request: pytest.FixtureRequest) -> Iterator[GanTraining]:
    """The training run with the module's losses, started with the session."""
    training = request.config.stash[_GANS][request.node.nodeid]
    yield training
    training.close()
