"""The pages of docs/ as commands: their fenced blocks, and a copy of the project to run them in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
_ENVIRONMENT = Path(sys.prefix).resolve()
_FENCE = re.compile(
    r"(?P<notes>(?:^ *<!--[^\n]*-->\n)*)"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_NOTE = re.compile(r"<!-- ([a-z ]+?)(?::| with) (.*) -->")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; `end` is the place in the text where it ends."""

    page: str
    language: str
    text: str
    notes: dict[str, str]
    end: int = 0


def blocks(page: str, text: str) -> list[Block]:
    """All fenced blocks of a page's text, in order."""
    return [
        Block(
            page,
            found["language"],
            textwrap.dedent(found["text"]),
            dict(_NOTE.findall(found["notes"])),
            found.end(),
        )
        for found in _FENCE.finditer(text)
    ]


def run(block: Block, place: Path, more: Mapping[str, str] | None = None) -> str:
    """Run a block of commands, or what it is tested as; return its output.

    Args:
        block: its status must be the one that the page gives.
        place: the working folder.
        more: environment variables.
    """
    status = int(block.notes.get("fails", "status 0").removeprefix("status "))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.notes.get("tested as", block.text)],
        cwd=place,
        env={
            "PATH": f"{_ENVIRONMENT}/bin:{os.environ['PATH']}",  # as if it were activated
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "HOME": str(place),
            "ENVIRONMENT": str(_ENVIRONMENT),
            "OMP_NUM_THREADS": "1",
            **(more or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == status, f"{block.page}:\n{block.text}\n{done.stdout}"
    return done.stdout


@contextmanager
def copy_of_project() -> Iterator[Path]:
    """Copy the project to a place where workers with separate users can follow links into it."""
    with tempfile.TemporaryDirectory(prefix="docs-") as name:
        Path(name).chmod(0o755)
        project = Path(name) / "project"
        unwanted = shutil.ignore_patterns(".*", "dist", "__pycache__", "data", "out_*", "maf")
        shutil.copytree(ROOT, project, ignore=unwanted)
        (project / ".venv").symlink_to(_ENVIRONMENT, target_is_directory=True)
        yield project
