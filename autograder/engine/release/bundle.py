"""The zip for Gradescope: what grading needs and nothing else, the same bytes for the same input.

No reference, no right solution of the catalogue, no tool of the instructors' travels: what is not
on the platform cannot be read there, whatever a submission manages to do.
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autograder.engine.homework import Assignment
from autograder.engine.release.manifest import files_that_grade
from autograder.engine.sandbox.isolated import ROOT

# At the zip's root: what the platform calls, and what setup.sh installs from.
_STARTED = ("setup.sh", "run_autograder")
_INSTALLED_FROM = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE")
# Read by setup.sh; there is only when an index was given.
TORCH_INDEX_FILE = "torch-index.txt"
# The earliest time that a zip can say.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Packed:
    """One file of the bundle."""

    data: bytes
    executable: bool = False


@dataclass(frozen=True)
class Archive:
    """A written zip: its sizes in bytes, and its hash."""

    path: Path
    size: int
    files: int
    sha256: str


def collect(assignment: Assignment, pristine: Path, torch_index: str = "") -> dict[str, Packed]:
    """Return the bundle's files by their paths, sorted.

    Args:
        assignment: the settings; they travel as the homework's own assignment.toml.
        pristine: the template, whose code folders stand beside a submission's files.
        torch_index: the index from which setup.sh is to take PyTorch, or "".

    Raises:
        OSError: a file cannot be read.
    """
    files = {name: Packed((ROOT / name).read_bytes(), executable=True) for name in _STARTED}
    files |= {name: Packed((ROOT / name).read_bytes()) for name in _INSTALLED_FROM}
    for name, path in files_that_grade(assignment.folder, assignment.package).items():
        files[name] = Packed(assignment.source_of(path).read_bytes())
    for folder in sorted({str(PurePosixPath(name).parent) for name in assignment.files}):
        for path in (pristine / folder).glob("*.py"):
            files[f"{pristine.name}/{path.relative_to(pristine).as_posix()}"] = Packed(
                path.read_bytes()
            )
    if torch_index:
        files[TORCH_INDEX_FILE] = Packed(f"{torch_index}\n".encode())
    return dict(sorted(files.items()))


def write_archive(files: Mapping[str, Packed], path: Path) -> Archive:
    """Write the files as a zip whose bytes follow from nothing but their names, modes and contents.

    They are stored, not deflated: another version of zlib would give other bytes.

    Raises:
        OSError: the zip cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name, packed in sorted(files.items()):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = 3  # Unix: the modes below are read
            info.external_attr = (stat.S_IFREG | _mode(packed)) << 16
            archive.writestr(info, packed.data)
    partial.chmod(0o644)
    partial.replace(path)
    data = path.read_bytes()
    return Archive(path, len(data), len(files), hashlib.sha256(data).hexdigest())


def unpack(files: Mapping[str, Packed], folder: Path) -> None:
    """Lay the files out as the platform unzips them."""
    for name, packed in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(packed.data)
        target.chmod(_mode(packed))


def _mode(packed: Packed) -> int:
    return 0o755 if packed.executable else 0o644
