"""The committed template: up to date, without solutions, and with stubs that name their parts."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from autograder.engine.release.template import (
    compare_template,
    make_template_text,
    solution_regions,
)

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "reference"
TEMPLATE = ROOT / "student_template"


def load(path: Path) -> ModuleType:
    """Import one file under a unique name, so that two `gan.py` can be imported."""
    spec = importlib.util.spec_from_file_location(f"{path.parts[-3]}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_committed_template_is_up_to_date() -> None:
    """`student_template/` is what `reference/` gives now."""
    assert compare_template(REFERENCE, TEMPLATE, "codebase") == []


def test_no_solution_line_is_left_in_the_template() -> None:
    """No distinctive line of any solution occurs in any file of the template.

    Comments, imports, lines under 12 characters and lines of the given code are not distinctive.
    """
    fragments: set[str] = set()
    for path in REFERENCE.glob("codebase/*.py"):
        text = path.read_text(encoding="utf-8")
        given = {line.strip() for line in make_template_text(text, path.name).splitlines()}
        for _, code in solution_regions(text, path.name):
            lines = {line.split("  #")[0].strip() for line in code.splitlines()} - given
            fragments |= {x for x in lines if len(x) >= 12 and not re.match("#|import |from ", x)}
    assert len(fragments) > 20
    handed_out = [path for path in TEMPLATE.rglob("*") if path.suffix in {".py", ".md", ".sh"}]
    assert len(handed_out) > 5
    for path in handed_out:
        text = path.read_text(encoding="utf-8")
        assert [fragment for fragment in fragments if fragment in text] == [], path
        assert "BEGIN SOLUTION" not in text
        assert "REFERENCE ONLY" not in text


def test_template_imports_nothing_that_only_the_solution_needs() -> None:
    """Every import in the template is used by the code that students are given, but for one.

    Almost every solution uses it, and a first run should not end in a NameError.
    """
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache"]
    options = ["--select", "F401", "--output-format", "json", str(TEMPLATE)]
    outcome = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    unused = [(Path(each["filename"]).name, each["message"]) for each in json.loads(outcome.stdout)]
    assert unused == [("gan.py", "`torch.nn.functional` imported but unused")]


class _Dimensions:
    """Stands for a generator: the stubs ask for its latent size alone."""

    dim_z = 3


def _stub_calls() -> dict[str, Callable[[], Any]]:
    """Return a call of every function that students write, by what its stub must say."""
    flow = load(TEMPLATE / "codebase" / "flow_network.py")
    gan = load(TEMPLATE / "codebase" / "gan.py")
    points = torch.zeros(4, 2)
    made, maf = flow.MADE(2, 8, 1), flow.MAF(2, 8, 1, 2)
    calls: dict[str, Callable[[], Any]] = {
        "1.1 MADE.forward": lambda: made(points),
        "1.2 MADE.inverse": lambda: made.inverse(points),
        "1.3 MAF.log_probs": lambda: maf.loss(points),
    }
    images, labels = torch.zeros(4, 1, 28, 28), torch.zeros(4, dtype=torch.int64)
    for part, name, inputs in [
        ("2.2", "loss_nonsaturating", (images,)),
        ("4.2", "conditional_loss_nonsaturating", (images, labels)),
        ("5.5", "loss_wasserstein_gp", (images,)),
    ]:
        for function in (f"{name}_d", f"{name}_g"):

            def call(function: str = function, inputs: tuple[Any, ...] = inputs) -> Any:
                return getattr(gan, function)(_Dimensions(), None, *inputs, device="cpu")

            calls[f"{part} {function}"] = call
    return calls


def test_every_stub_raises_and_names_its_part() -> None:
    """The template imports, and each of its nine stubs names its handout part."""
    calls = _stub_calls()
    assert len(calls) == 9
    for title, call in calls.items():
        with pytest.raises(NotImplementedError, match=rf"^{title} is not implemented yet$"):
            call()


def _interface(module: ModuleType) -> dict[str, tuple[str, str | None]]:
    """Return signature and docstring of all functions and methods that a module defines."""
    found: dict[str, tuple[str, str | None]] = {}
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        members = {"": value}
        if inspect.isclass(value):
            members |= {f".{key}": member for key, member in vars(value).items()}
        for suffix, member in members.items():
            if inspect.isfunction(member):
                found[name + suffix] = (str(inspect.signature(member)), member.__doc__)
    return found


@pytest.mark.parametrize("name", ["flow_network.py", "gan.py"])
def test_stubs_keep_signature_and_docstring(name: str) -> None:
    """Students see the reference's signatures and docstrings."""
    expected = _interface(load(REFERENCE / "codebase" / name))
    assert len(expected) >= 6
    assert _interface(load(TEMPLATE / "codebase" / name)) == expected
