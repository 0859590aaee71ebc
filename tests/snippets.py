"""Run what a student is given to paste."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest


def run_snippet(text: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a snippet beside a submission; return the lines that it prints."""
    package = ModuleType("codebase")
    monkeypatch.setitem(sys.modules, "codebase", package)
    for path, source in files.items():
        module = ModuleType(f"codebase.{Path(path).stem}")
        exec(compile(source, path, "exec"), module.__dict__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "snippet", "exec"), {})
    return printed.getvalue().splitlines()
