"""What torch imports at the first use of a function is there before the workers are forked."""

import subprocess
import sys
from pathlib import Path

import pytest

from autograder.engine.sandbox.preparation import FIRST_USED
from autograder.engine.submission.imports import modules_to_prepare
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]
# By text of a submission; each is also run.
USES = {
    "torch.randn(2, generator=torch.Generator().manual_seed(0))": False,
    "torch.func.vmap(torch.func.grad(torch.sin))(torch.ones(3))": False,
    "torch.func.jacrev(torch.sin)(torch.ones(3))": False,
    "torch.func.jacfwd(torch.sin)(torch.ones(3))": False,
    "checkpoint(torch.sin, x, use_reentrant=False).sum().backward()": False,
    "torch.use_deterministic_algorithms(True)": False,
    "torch.autograd.grad(x * x, x, grad_outputs=torch.ones(3))": False,
    "torch.optim.Adam([x])": False,
    "torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2)).sample()": False,
    "torch.empty(2, 2, device='meta') @ torch.empty(2, 2, device='meta')": False,
    # Nothing in these is known beforehand: the worker imports what they need.
    "torch._refs.abs(torch.ones(2))": True,
    "torch.autograd.functional.jacobian(torch.sin, torch.ones(3), vectorize=True)": True,
}
_BEGIN = """
import importlib, sys, warnings
warnings.simplefilter("ignore")
"""
_USED = """
import torch
from torch.utils.checkpoint import checkpoint
x = torch.ones(3, requires_grad=True)
(x * x).sum().backward()
for name in eval(sys.argv[2]):
    importlib.import_module(name)
before = set(sys.modules)
exec(sys.argv[1])
print(sorted(set(sys.modules) - before)[:5])
"""


def run(code: str, *arguments: str) -> str:
    """What a fresh Python prints."""
    command = [sys.executable, "-c", _BEGIN + code, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("text", USES)
def test_what_a_submission_uses_is_there_before_its_workers(text: str, tmp_path: Path) -> None:
    """A worker imports nothing more of torch, or at least gets the same results."""
    (tmp_path / "gan.py").write_text(text)
    modules = modules_to_prepare(tmp_path, ("gan.py",))
    assert set(modules) <= set(FIRST_USED)
    imported = run(_USED, text, repr(modules))
    assert USES[text] or imported == "[]"


_REQUEST = """
from pathlib import Path
from autograder.engine.sandbox import experiment, serve, zygote
prepared = zygote.prepare(Path(sys.argv[1]))
student = experiment.StudentCode(Path(sys.argv[2]), "")
before = set(sys.modules)
experiment.run("self_test", {}, {}, 0, student, {"self_test": serve._self_test})
experiment.run("import", {"module": "gan"}, {}, 0, student, prepared.experiments)
print(sorted(set(sys.modules) - before))
"""


def test_a_worker_imports_only_the_file_of_the_student(tmp_path: Path) -> None:
    """Seeding, autograd and all else that each worker uses is there before the fork."""
    (tmp_path / "gan.py").write_text("import numpy, random, torch\nnumpy.random.default_rng()\n")
    assert run(_REQUEST, str(THIS.folder), str(tmp_path)) == "['gan']"
