"""Stand-ins for packages that are not installed."""

from __future__ import annotations

import builtins
import importlib
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from autograder.engine.sandbox.experiment import Misuse, StudentCode

Load = Callable[..., ModuleType]
MESSAGE = "nothing_x is not installed where this is graded; remove its use from codebase/gan.py"


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Write files into `codebase/` and import gan.py as a worker does."""
    path, modules = list(sys.path), dict(sys.modules)
    # The reference has a folder of that name too.
    sys.path[:] = [entry for entry in path if not Path(entry, "codebase").is_dir()]
    for name in [name for name in modules if name.partition(".")[0] == "codebase"]:
        del sys.modules[name]
    (tmp_path / "codebase").mkdir()
    (tmp_path / "codebase" / "network.py").write_text("")
    student = StudentCode(tmp_path, "codebase")

    def write_and_load(gan: str, **others: str) -> ModuleType:
        for name, text in {"gan": gan, **others}.items():
            (tmp_path / "codebase" / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return student.module("gan")

    yield write_and_load
    student.stand_ins.close()
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "codebase"]:
        del sys.modules[name]
    sys.modules.update(modules)


IMPORTS = [
    "import nothing_x",
    "import nothing_x.a.b as c",
    "from nothing_x import a",
    "from nothing_x.a import (\n    b,\n    c as d,\n)",
    "from nothing_x import *",
    "import nothing_x, nothing_y\nfrom nothing_z import a",
    "import nothing_x\nfrom nothing_x import a\nif True:\n    import nothing_x as x",
]


@pytest.mark.parametrize("text", IMPORTS)
def test_an_unused_import_costs_nothing(load: Load, text: str) -> None:
    """In any form: the file is imported completely, and only it gets the stand-in."""
    assert load(text + "\nend = 1\n").end == 1
    assert "nothing_x" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("nothing_x")
    with pytest.raises(ModuleNotFoundError):
        exec("import nothing_x")


HARMLESS = [
    "x = nothing_x.a.b",
    "def f(x: nothing_x.Float[int, 'B D'] | None, y: 'int' = 1) -> None | nothing_x.A: ...",
    "assert nothing_x is not None and hasattr(nothing_x, 'a') and nothing_x == nothing_x",
    "import copy\ncopy.deepcopy(nothing_x.a)",
    "class A:\n    attribute = nothing_x.a\nA().attribute",
    "print(nothing_x, f'{nothing_x.a}', [nothing_x], {nothing_x: 1})",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_naming_a_stand_in_does_not_raise(load: Load, text: str) -> None:
    """Such as in an annotation."""
    load("import nothing_x\n" + text)


USES = [
    "nothing_x.init()",
    "nothing_x()",
    "nothing_x.a.b(1, c=2).d",
    "class A(nothing_x.Base): ...",
    "@nothing_x.jit\ndef f(): ...",
    "@nothing_x.jit(parallel=True)\ndef f(): ...",
    "with nothing_x.run: ...",
    "for _ in nothing_x.data: ...",
    "if nothing_x.run: ...",
    "nothing_x.a['b'] + 1",
    "1 - nothing_x.a",
    "torch.ones(2) * nothing_x.a",
    "float(nothing_x.a)",
    "nothing_x.a[0] = 1",
    "nothing_x.a = 1",
    "del nothing_x.a",
    "isinstance(1, nothing_x.A)",
    "issubclass(int, nothing_x.A)",
    "1 in nothing_x.a",
    "nothing_x.a < 1",
    "len(nothing_x.a)",
]


@pytest.mark.parametrize("text", USES)
def test_using_a_stand_in_raises_that_the_package_is_not_installed(load: Load, text: str) -> None:
    """At the line of the use."""
    with pytest.raises(Misuse) as raised:
        load("import torch\nimport nothing_x\n" + text)
    assert str(raised.value) == MESSAGE
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert [each.lineno for each in frames if each.filename.endswith("/gan.py")] == [3]


FALLBACK = "try:\n    import nothing_x\nexcept ImportError:\n    nothing_x = None\n"


def test_code_with_a_fallback_takes_it(load: Load) -> None:
    """Also if another file or line imports the same package without a fallback."""
    module = load(
        "import nothing_x as x\nimport nothing_y\nfrom codebase import other\n" + FALLBACK,
        other=FALLBACK,
    )
    assert module.nothing_x is None
    assert module.other.nothing_x is None
    assert module.x is not None


NOT_OURS = {
    "import codebase.nothing_x": "codebase.nothing_x",
    "from codebase.nothing_x import a": "codebase.nothing_x",
    "from . import nothing_x": None,
    "from .nothing_x import a": "codebase.nothing_x",
    "import netwrok": "netwrok",
    "import torch.nothing_x": "torch.nothing_x",
    "from torch import nothing_x": "torch",
    "import needs_nothing": "nothing_x",
    "raise ModuleNotFoundError('no', name='torch')": "torch",
    "raise ModuleNotFoundError('no', name='nothing_x')": "nothing_x",
}


@pytest.mark.parametrize("text", NOT_OURS)
def test_other_import_errors_still_raise(load: Load, text: str, tmp_path: Path) -> None:
    """Misspelt modules of the homework or a library, and packages that a library misses."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "needs_nothing.py").write_text("import nothing_x\n")
    library = tmp_path.with_name(f"{tmp_path.name}-library")
    (tmp_path / "library").rename(library)
    sys.path.append(str(library))
    with pytest.raises(ImportError) as raised:
        load(text)
    if (expected := NOT_OURS[text]) is not None:
        assert raised.value.name == expected


def test_the_end_of_a_worker_restores_the_import(load: Load) -> None:
    """On systems without fork, one process serves several checks."""
    before = builtins.__import__
    try:
        load("import nothing_x")
        assert builtins.__import__ is not before
    finally:
        StudentCode(
            Path("/nowhere"), "codebase"
        ).stand_ins.close()  # knows of no line: changes nothing
    assert builtins.__import__ is not before


_PREPARED = """
import json, os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from autograder.engine.sandbox.preparation import import_all
def state():
    mask = os.umask(0)
    os.umask(mask)
    return [os.getcwd(), mask, str(signal.getsignal(signal.SIGINT))]
before = state()
assert import_all(["exits", "rogue", "raises", "threads", "fine"]) == ("threads",)
assert state() == before, state()
assert {"rogue", "threads", "fine"} <= set(sys.modules)
"""
ROGUES = {
    "exits": "import sys; sys.exit(3)",
    "raises": "1 / 0",
    "rogue": "import os, signal; os.chdir('/'); os.umask(0); signal.signal(signal.SIGINT, print)",
    "threads": "import threading as t; t.Thread(target=t.Event().wait, args=(2,)).start()",
    "fine": "",
}


def test_side_effects_of_an_import_do_not_harm_the_zygote(tmp_path: Path) -> None:
    """They are undone; a thread, which cannot be undone, is reported."""
    for name, text in ROGUES.items():
        (tmp_path / f"{name}.py").write_text(text)
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-c", _PREPARED, str(tmp_path), root],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
