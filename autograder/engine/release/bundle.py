"""The zip for Gradescope: the files that grading needs and no others.

The reference, the catalogue's correct solutions and the instructors' tools stay out: a submission
cannot read on the platform what is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autograder.engine.homework import Homework
from autograder.engine.release.archive import File
from autograder.engine.release.manifest import files_that_grade
from autograder.engine.sandbox.isolated import PROJECT

# At the zip's root: the scripts that the platform calls, and the files that setup.sh installs from.
_STARTED = ("setup.sh", "run_autograder")
_INSTALLED_FROM = ("constraints.txt", "requirements.lock", "LICENSE")
# Read by setup.sh; in the zip only when an index was given.
TORCH_INDEX_FILE = "torch-index.txt"


def collect(homework: Homework, torch_index: str = "") -> dict[str, File]:
    """Return the bundle's files by their paths, sorted.

    Args:
        homework: the settings; packed as the homework's own assignment.toml.
        torch_index: the index from which setup.sh installs PyTorch, or "".

    Raises:
        OSError: a file cannot be read.
    """
    files = {name: File((PROJECT / name).read_bytes(), executable=True) for name in _STARTED}
    files |= {name: File((PROJECT / name).read_bytes()) for name in _INSTALLED_FROM}
    for name, path in files_that_grade(homework).items():
        files[name] = File(homework.source_of(path).read_bytes())
    for path in (homework.template / homework.code_folder).glob("*.py"):
        files[homework.path_in_project(path)] = File(path.read_bytes())
    if torch_index:
        files[TORCH_INDEX_FILE] = File(f"{torch_index}\n".encode())
    return dict(sorted(files.items()))


def unpack(files: Mapping[str, File], folder: Path) -> None:
    """Write the files into a folder, as the platform unzips them."""
    for name, file in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        target.chmod(file.mode)
