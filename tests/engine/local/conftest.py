"""Fixtures for this folder: a student's copy of the handout."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from autograder.engine.release.handout import ZIP, build_handout
from tests.this_homework import THIS


@pytest.fixture(scope="session")
def unzipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The handout as students get it."""
    folder = tmp_path_factory.mktemp("handout")
    build_handout(THIS, folder)
    with zipfile.ZipFile(folder / ZIP) as archive:
        archive.extractall(folder / "unzipped")
    return folder / "unzipped"


@pytest.fixture
def homework(unzipped: Path, tmp_path: Path) -> Path:
    """A student's copy, in a folder with a space in its name."""
    return Path(shutil.copytree(unzipped, tmp_path / "my homework"))
