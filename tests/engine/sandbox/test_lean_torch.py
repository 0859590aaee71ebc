"""Torch without its late modules: a student's code can tell by the time only."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from autograder.engine.sandbox import lean_torch
from autograder.engine.sandbox.lean_torch import _RELEASE, LATE, WITH_IT
from autograder.engine.sandbox.preparation import FIRST_USED
from autograder.engine.submission.imports import modules_to_prepare

ROOT = Path(__file__).resolve().parents[3]
_IMPORT = """
import importlib, json, os, pathlib, sys, traceback, warnings
warnings.simplefilter("ignore")
from autograder.engine.sandbox import lean_torch
if sys.argv[1] == "whole":
    lean_torch._is_known = lambda: False
assert lean_torch.import_torch() == (sys.argv[1] == "lean")
import torch
assert (lean_torch.LATE in sys.modules) == (sys.argv[1] == "whole")
"""


def run(how: str, code: str, *arguments: str) -> str:
    """What a fresh Python prints that imports torch as a whole, or lean."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT + code, how, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def _is_made_for_the_installed_release() -> bool:
    from importlib.metadata import version

    return version("torch").partition("+")[0] == _RELEASE


needs_the_release = pytest.mark.skipif(
    not _is_made_for_the_installed_release(), reason="another release is imported as a whole"
)

# ---- what students may use ------------------------------------------------------------------

# Each sets `out`. `X` is a matrix, `net` a network, `loss` takes the network's parameters.
# `\n` stands for a line break.
USES = (Path(__file__).parent / "uses_of_torch.txt").read_text(encoding="utf-8").splitlines()
_EACH = """
FIRST = [
    "torch.manual_seed(0)",
    "net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Softplus(), torch.nn.Linear(2, 1))",
    "X = torch.arange(9.0).reshape(3, 3).sin() + torch.eye(3)",
    "Y = X.clone().requires_grad_()",
]
def gradient(function):
    X = namespace["X"].clone().requires_grad_()
    function(X).sum().backward()
    return X.grad, [each.grad for each in namespace["net"].parameters()]
def train(optimizer, closure=False):
    net = namespace["net"]
    def loss():
        optimizer.zero_grad()
        value = net(namespace["X"]).pow(2).mean()
        value.backward()
        return value
    for _ in range(3):
        optimizer.step(loss) if closure else (loss(), optimizer.step())
    return [each.detach() for each in net.parameters()]
def twice(x: torch.Tensor) -> torch.Tensor:
    return x * 2
def in_fork(function, *arguments):
    reading, writing = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writing, "w") as pipe:
            json.dump(function(*arguments), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        result = json.load(pipe)
    os.wait()
    return result
def use(text):
    namespace.update(globals())
    before = lean_torch.LATE in sys.modules
    exec("\\n".join(FIRST), namespace)
    try:
        exec(text, namespace)
        result = repr(namespace["out"])
    except BaseException as error:
        result = f"{type(error).__name__}: {error}"
    return result, lean_torch.LATE in sys.modules and not before
def use_all(modules, texts):
    for name in modules:
        importlib.import_module(name)
    return [in_fork(use, text) for text in texts]
torch.set_num_threads(1)
namespace = {}
groups = json.loads(pathlib.Path(sys.argv[2]).read_text())
results = [result for group in groups for result in in_fork(use_all, *group)]
print(json.dumps(results))
"""
# Nothing in these says beforehand what they need: the worker imports it.
_UNFORESEEN = ("_refs", "_prims", "_decomp")


@pytest.mark.slow
@needs_the_release
def test_what_students_may_use_behaves_as_with_a_whole_import(tmp_path: Path) -> None:
    """Same numbers, same errors; and the late modules were there before the worker's fork."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for line in USES:
        text = line.replace("\\n", "\n")
        (tmp_path / "gan.py").write_text(text, encoding="utf-8")
        modules = modules_to_prepare(tmp_path, ("gan.py",))
        groups.setdefault(tuple(n for n in modules if n in FIRST_USED), []).append(text)
    file = tmp_path / "groups.json"
    file.write_text(json.dumps(list(groups.items())), encoding="utf-8")
    lean, whole = (json.loads(run(how, _EACH, str(file))) for how in ("lean", "whole"))
    texts = [text for group in groups.values() for text in group]
    for text, (got, late), (expected, _) in zip(texts, lean, whole, strict=True):
        assert got == expected, text
        assert not late or any(word in text for word in _UNFORESEEN), text


# ---- what is left out -----------------------------------------------------------------------

_STATE = """
def registered(key):
    try:
        return torch._C._dispatch_get_registrations_for_dispatch_key(str(key))
    except RuntimeError:  # a key that has no name in C++
        return []
keys = torch._C.DispatchKey.__members__
kernels = [[str(key), operator] for key in keys for operator in registered(key)]
loaded = {name: module for name, module in sys.modules.items() if name.startswith("torch")}
names = [f"{each}.{name}" for each, module in loaded.items() for name in vars(module)]
print(json.dumps({"modules": list(loaded), "kernels": kernels, "names": names}))
"""
# In the package of the late ones, but harmless if imported first.
_BESIDE = "torch.testing._internal.common_dtype"
# The operators of the late modules themselves.
_OWN = ("prims::", "rngprims::", "debugprims::")


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, list[object]]]:
    """Modules, kernels and names after each kind of import."""
    return {how: json.loads(run(how, _STATE)) for how in ("lean", "whole")}


def _is_late(name: str) -> bool:
    return any(f"{name}.".startswith(f"{each}.") for each in (LATE, _BESIDE, *WITH_IT))


@needs_the_release
def test_the_list_of_late_modules_is_that_of_this_release(
    states: dict[str, dict[str, list[str]]],
) -> None:
    """Each module that a whole import has and a lean one has not is on the list, or inside one."""
    late = set(states["whole"]["modules"]) - set(states["lean"]["modules"])
    assert late >= {LATE, *WITH_IT}
    assert [name for name in late if not _is_late(name)] == []
    assert not set(states["lean"]["modules"]) - set(states["whole"]["modules"])


@needs_the_release
def test_late_modules_register_kernels_of_the_meta_device_only(
    states: dict[str, dict[str, list[list[str]]]],
) -> None:
    """All else that they register are operators of their own, so nothing on the CPU changes."""
    kernels = {how: {(k, o) for k, o in state["kernels"]} for how, state in states.items()}
    assert not kernels["lean"] - kernels["whole"]
    late = kernels["whole"] - kernels["lean"]
    assert len(late) > 500
    assert [each for each in late if each[0] != "Meta" and not each[1].startswith(_OWN)] == []


@needs_the_release
def test_modules_have_the_same_names_otherwise(states: dict[str, dict[str, list[str]]]) -> None:
    """No other module differs by what the late ones put into it."""
    names = {how: set(state["names"]) for how, state in states.items()}
    late = {name for name in names["whole"] - names["lean"] if not _is_late(name)}
    assert [name for name in late if not name.startswith("torch.ops.")] == []
    assert not names["lean"] - names["whole"] - {"torch.__getattr__"}


_FIRST = """
module = importlib.import_module(sys.argv[2])
assert module is sys.modules[sys.argv[2]] and module.__spec__.name == sys.argv[2]
assert lean_torch.LATE in sys.modules and not any("lean" in repr(each) for each in sys.meta_path)
import torch._decomp, torch._refs
print(torch._refs.abs(-torch.ones(1)).item(), torch.histc(torch.ones(3, device="meta")).shape[0])
"""


@needs_the_release
@pytest.mark.parametrize("name", [*sorted(WITH_IT), LATE, "torch._refs.nn.functional"])
def test_any_late_module_can_be_the_first(name: str) -> None:
    """All are imported in torch's own order, without a circle, and the meta device is whole."""
    assert run("lean", _FIRST, name) == "1.0 100"


_ATTRIBUTE = "print(torch._refs.abs(-torch.ones(1)).item(), lean_torch.LATE in sys.modules)"


@needs_the_release
def test_late_modules_are_attributes_of_torch() -> None:
    """They are after a whole import, and so nobody imports them."""
    assert run("lean", _ATTRIBUTE) == "1.0 True"
    message = "assert getattr(torch, 'no_such_name', 3) == 3; print(torch._export.__name__)"
    assert run("lean", message) == "torch._export"


# ---- when it is not possible ----------------------------------------------------------------

_UNKNOWN = """
import importlib, sys
from autograder.engine.sandbox import lean_torch
{}
assert not lean_torch.import_torch()
import torch
print(lean_torch.LATE in sys.modules, torch.histc(torch.ones(3, device="meta")).shape[0])
"""


@pytest.mark.parametrize(
    "change",
    [
        'lean_torch._RELEASE = "1.0"',
        "lean_torch.importlib.util.find_spec = lambda name: None",
        "lean_torch._import_attributes = None",
        "import torch",
    ],
)
def test_torch_is_imported_as_a_whole_where_anything_else_is_unknown(change: str) -> None:
    """Another release, one that cannot be read, internals that are missing, torch already there."""
    command = [sys.executable, "-c", _UNKNOWN.format(change)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "True 100"


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("2.14.1", True),
        ("2.14.1+cpu", True),
        ("2.14.1+cu130", True),
        ("2.14.10", False),
        ("2.14.1rc1", False),
        ("2.14.2+cpu", False),
    ],
)
def test_any_build_of_the_release_is_known_and_no_other_is(
    text: str, is_known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part after the plus sign names the build."""
    (tmp_path / "version.py").write_text(f"debug = False\n__version__ = '{text}'\n")
    spec = ModuleSpec("torch", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert lean_torch._is_known() == is_known
