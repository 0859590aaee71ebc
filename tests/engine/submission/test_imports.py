"""The imports read from a text, and the modules that a zygote prepares."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.engine.sandbox.confine import scrubbed_environment
from autograder.engine.submission.imports import missing_packages, modules_to_prepare, read_imports
from autograder.homework.student import FLOW_FILE, GAN_FILE
from tests.security.kit import ROOT

FILES = (FLOW_FILE, GAN_FILE)

READ = {
    "import os": [("os", (), 1)],
    "import a.b as c, d": [("a.b", (), 1), ("d", (), 1)],
    "from a.b import x as y, z": [("a.b", ("x", "z"), 1)],
    "from a import (\n    x,  # (why\n    y as z,\n)\nimport b": [
        ("a", ("x", "y"), 1),
        ("b", (), 5),
    ],
    "from a \\\n  import b": [("a", ("b",), 1)],
    "import a, \\\n  b": [("a", (), 1), ("b", (), 1)],
    "def f():\n\timport a": [("a", (), 2)],
    "try: import a\nexcept ImportError: import b": [("a", (), 1), ("b", (), 2)],
    "x = 1; import a; from b import c": [("a", (), 1), ("b", ("c",), 1)],
    "from . import a": [(".", ("a",), 1)],
    "from ..a.b import c": [("..a.b", ("c",), 1)],
    "from a import *": [("a", (), 1)],
    "from a import(b)": [("a", ("b",), 1)],
    "import a\r\nimport b\rimport c": [("a", (), 1), ("b", (), 2), ("c", (), 3)],
    "import größe": [("größe", (), 1)],
    "from importlib import reload": [("importlib", ("reload",), 1)],
    # What only looks like one.
    '"""\nimport a\n"""\nimport b': [("b", (), 4)],
    "s = 'it\\'s # no'; import b": [("b", (), 1)],
    "'''\\''' import a\n''' ; import b": [("b", (), 2)],
    "# import a": [],
    "x = 'import a'": [],
    "important = 1\nimport_ = 2\nfrom_x = 3": [],
    "raise E from import_error": [],
    "yield from a": [],
    "import 1a\nimport a b\nimport": [],
    "from a.b.c.d.e.f x": [],
    "from a\nimport b": [("b", (), 2)],
    f"import {'a' * 101}": [],
    '"""never closed\nimport a': [],
}


@pytest.mark.parametrize("text", READ)
def test_imports_are_read_as_python_reads_them(text: str) -> None:
    """Whatever the layout, with the line where the statement begins."""
    assert [(each.module, each.names, each.line) for each in read_imports(text)] == READ[text]


GARBAGE = {
    "nested": "(" * 2**20,
    "quotes": '\\"""' * 2**18 + "\\",
    "alternating quotes": "\"'" * 2**19,
    "imports": "import a\n" * 2**17,
    "one import without end": "import " + "a," * 2**19,
    "packages": "".join(f"import a{n}, b{n}, c{n}\n" for n in range(2**15)),
    "dots": "from " + "a." * 2**19,
    "from without import": "from a.b.c\n" * 2**16,
    "spaces": "from " + " " * 2**20,
    "many spaces": ("from a" + " " * 3900 + "\n") * 260,
    "many spaces before as": ("import a" + " " * 3900 + "b\n") * 260,
    "colons": ":" * 2**20,
    "torch.": "torch." * 2**17,
    "mentions": "".join(f"torch.func.jvp{n} " for n in range(2**16)),
    "nul": "\0" * 2**20,
    "backslashes": "\\\n" * 2**19,
    "far too long": "import a\n" * 2**20,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_of_a_megabyte_is_read_in_bounded_time(name: str, tmp_path: Path) -> None:
    """No text makes the reader slow; what it finds is bounded too."""
    (tmp_path / "codebase").mkdir()
    (tmp_path / GAN_FILE).write_text(GARBAGE[name])
    started = time.process_time()
    modules = modules_to_prepare(tmp_path, (GAN_FILE,))
    missing = missing_packages(tmp_path, (GAN_FILE,))
    assert time.process_time() - started < 8
    assert len(modules) <= 64
    assert len(missing) <= 1000


def staged(folder: Path, gan: str) -> Path:
    """The pristine files, and a gan.py."""
    (folder / "codebase").mkdir()
    for path in (ROOT / "student_template" / "codebase").glob("*.py"):
        (folder / "codebase" / path.name).write_bytes(path.read_bytes())
    (folder / GAN_FILE).write_text(gan)
    return folder


FORWARD = ["torch._meta_registrations", "torch._decomp.decompositions_for_jvp"]
PREPARED = {
    "import matplotlib.pyplot as plt": ["matplotlib.pyplot"],
    "def f():\n    from sklearn import datasets": ["sklearn", "sklearn.datasets"],
    "from torchvision.utils import make_grid": [
        "torchvision.utils",
        "torchvision.utils.make_grid",
    ],
    "import scipy as sp\nscipy.stats.norm.cdf(0)": ["scipy", "scipy.stats", "scipy.stats.norm"],
    "torch.func.jacfwd(f)": [*FORWARD, "torch._dynamo"],
    "from torch.func import jvp": [*FORWARD, "torch._dynamo"],
    "from functorch import jvp": [*FORWARD, "torch._dynamo", "functorch", "functorch.jvp"],
    "import torch.autograd.forward_ad as fwAD": FORWARD,
    "torch.jit.trace(f, x)": ["torch._meta_registrations"],
    "x.to('meta')": ["torch._meta_registrations", "torch._dynamo"],
    "grad(y, x, grad_outputs=g)": ["torch.fx.experimental.symbolic_shapes"],
    # What a zygote has anyway, the student's own, and what is on no list.
    "import os, numpy, torch.nn.utils\nimport network": [],
    "import antigravity, wandb, gan, codebase.gan, pip, tests": [],
    "import sklearn.conftest, scipy.tests.x, tqdm.__main__, matplotlib._pylab_helpers": [],
    "# import sklearn\n'''\nimport scipy\n'''": [],
}


@pytest.mark.parametrize("text", PREPARED)
def test_only_harmless_packages_are_prepared(text: str, tmp_path: Path) -> None:
    """A text chooses among the packages of our list, and nothing else."""
    assert list(modules_to_prepare(staged(tmp_path, text), (GAN_FILE,))) == PREPARED[text]


@pytest.mark.parametrize(
    "text",
    ["from codebase.gan_training import x", "import codebase.figures", "import figures",
     "from codebase import figures", "from . import figures", "from .gan_training import x"],
)  # fmt: skip
def test_the_homeworks_own_modules_are_followed(text: str, tmp_path: Path) -> None:
    """What codebase/figures.py imports is imported for a file that imports it."""
    modules = modules_to_prepare(staged(tmp_path, text), (GAN_FILE,))
    assert {"matplotlib.figure", "torchvision.utils"} <= set(modules)


def test_the_reference_needs_no_preparation() -> None:
    """So its zygote can serve another grading."""
    assert modules_to_prepare(ROOT / "reference", FILES) == ()


READY = (
    *("functorch", "matplotlib.pyplot", "mpl_toolkits.mplot3d", "PIL.Image", "scipy.stats"),
    *("sklearn.datasets", "sklearn.linear_model", "torchvision", "torchvision.datasets"),
    *("torchvision.transforms", "tqdm.auto", "torch._decomp.decompositions_for_jvp"),
    *("torch._meta_registrations", "torch.fx.experimental.symbolic_shapes"),
)
_TRIED = """
import json, os, signal, sys, torch, torch._dynamo
def state():
    handlers = [str(signal.getsignal(n)) for n in signal.valid_signals()]
    seed, dtype = torch.get_rng_state().sum().item(), str(torch.get_default_dtype())
    threads = len(os.listdir("/proc/self/task"))
    return [threads, os.getcwd(), torch.get_num_threads(), seed, dtype, handlers]
before = state()
changed = {}
for module in sys.argv[1:]:
    __import__(module)
    if state() != before:
        changed[module] = state()
print(json.dumps(changed))
"""


@pytest.mark.slow
def test_what_is_prepared_starts_no_thread_and_changes_nothing(tmp_path: Path) -> None:
    """A fork has one thread only, so a zygote must have no other."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _TRIED, *READY],
        env=scrubbed_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=170,
    )
    assert done.stdout == "{}\n"


def test_packages_that_are_not_installed_are_found_once_a_file(tmp_path: Path) -> None:
    """With their line; what is installed, Python's own or the homework's is not among them."""
    text = (
        "import os, torch, network, codebase.data\nimport sklearn.nope\n"
        "import wandb\nfrom wandb import init\nfrom einops_x.y import z\n"
    )
    root = staged(tmp_path, text)
    found = [(each.package, each.file, each.line) for each in missing_packages(root, FILES)]
    assert found == [("wandb", GAN_FILE, 3), ("einops_x", GAN_FILE, 5)]
