"""Submissions as students make them, for the tests of staging."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from autograder.engine.submission.entries import InvalidSubmission, SubmissionLimits
from autograder.engine.submission.staging import StagedSubmission, stage

FLOW, GAN = "codebase/flow_network.py", "codebase/gan.py"
WANTED = (FLOW, GAN)
BOTH = {FLOW: b"flow = 1\n", GAN: b"gan = 1\n"}
MIB = 1024 * 1024

Files = Mapping[str, bytes]


def take(source: Path, pristine: Path, limits: SubmissionLimits | None = None) -> StagedSubmission:
    """Stage a submission in a folder next to the pristine tree."""
    destination = pristine.parent / "staged"
    return stage(
        source, destination, wanted=WANTED, pristine=pristine, limits=limits or SubmissionLimits()
    )


def make_folder(root: Path, files: Files) -> Path:
    """Write files under a new folder."""
    root.mkdir()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def make_zip(path: Path, files: Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    """Write a zip, entry by entry; names may repeat."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            if isinstance(name, str):
                info = zipfile.ZipInfo("x")
                info.filename, name = name, info  # past the constructor, which changes names
            name.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(name, content)
    return path


def as_folder(tmp_path: Path, files: Files) -> Path:
    """The submission as Gradescope lays it out."""
    return make_folder(tmp_path / "submission", files)


def as_zip(tmp_path: Path, files: Files) -> Path:
    """The submission as make_submission.sh makes it."""
    return make_zip(tmp_path / "submission.zip", files.items())


either = pytest.mark.parametrize("make", [as_folder, as_zip])
Make = Callable[[Path, Files], Path]


def refused(
    source: Path, pristine: Path, match: str, limits: SubmissionLimits | None = None
) -> str:
    """Assert that a submission is refused with a message, and that nothing was staged."""
    with pytest.raises(InvalidSubmission, match=match) as caught:
        take(source, pristine, limits)
    assert not (pristine.parent / "staged").exists()
    assert str(caught.value).isprintable()
    return str(caught.value)


def refused_in_time(source: Path, pristine: Path, match: str) -> None:
    """Like `refused`, for what might hang: fails after ten seconds instead."""
    ended: list[str] = []
    thread = threading.Thread(
        target=lambda: ended.append(refused(source, pristine, match)), daemon=True
    )
    thread.start()
    thread.join(10)
    assert ended, "intake hangs, or does not refuse as expected"
