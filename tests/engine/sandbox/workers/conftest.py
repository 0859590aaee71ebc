"""Fixtures for this folder: a submission, zygotes, a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.sandbox.workers.kit import Grader, Hand, open_folder, write_submission


@pytest.fixture(scope="package")
def submission() -> Iterator[Path]:
    """A staged submission."""
    with open_folder() as root:
        root.chmod(0o755)
        write_submission(root)
        yield root


@pytest.fixture(scope="package", params=[False, True], ids=["started", "forked"])
def grader(submission: Path, request: pytest.FixtureRequest) -> Iterator[Grader]:
    """The zygote that most tests share, started with a secret in our environment."""
    with open_folder() as folder:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CANARY", "a secret")
            patch.setenv("PYTHONPATH", "/a/path/of/ours")
            patch.setenv("OMP_NUM_THREADS", "7")
            grader = Grader(submission, folder, prefork=request.param)
        yield grader
        grader.close()


@pytest.fixture(params=[False, True], ids=["started", "forked"])
def own_grader(submission: Path, request: pytest.FixtureRequest) -> Iterator[Grader]:
    """A zygote that the test may end."""
    with open_folder() as folder:
        grader = Grader(submission, folder, prefork=request.param)
        yield grader
        grader.close()


@pytest.fixture
def hand(grader: Grader) -> Iterator[Hand]:
    """A new worker, closed after the test."""
    hand = Hand(grader)
    yield hand
    hand.worker.close()
