"""`pytest` in an unzipped handout, wherever and however it is started, and what it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.engine.local.handout_kit import FLOW, GAN, MARKS, PUBLIC, checks, edit, solve

pytestmark = MARKS

# Python runs this before anything else: this project's modules meet a system that is not POSIX.
NO_POSIX = '''
import builtins, os, signal, socket, sys

ABSENT = {"fcntl", "grp", "pwd", "resource", "termios", "pty", "syslog", "posix"}
honest = builtins.__import__


def importing(name, globals=None, locals=None, fromlist=(), level=0):
    importer = str((globals or {}).get("__name__", ""))
    if importer.partition(".")[0] == "autograder" and name.partition(".")[0] in ABSENT:
        raise ImportError(f"{importer} imports {name}, which only POSIX has")
    return honest(name, globals, locals, fromlist, level)


builtins.__import__ = importing


class Absent:
    """In place of a module: what only POSIX has is missing for this project's code."""

    def __init__(self, module, names):
        self._module, self._names = module, names

    def __getattr__(self, name):
        importer = sys._getframe(1).f_globals.get("__name__", "")
        if importer.partition(".")[0] == "autograder" and name in self._names:
            raise AttributeError(f"{importer} uses {name}, which only POSIX has")
        return getattr(self._module, name)


NAMES = {
    "os": {"fork", "setsid", "killpg", "getuid", "geteuid", "fchmod", "O_NOFOLLOW", "O_CLOEXEC",
           "O_DIRECTORY", "O_NONBLOCK", "waitstatus_to_exitcode", "register_at_fork", "getppid"},
    "signal": {"SIGKILL", "SIGCHLD", "setitimer", "alarm"},
    "socket": {"AF_UNIX", "send_fds", "recv_fds", "socketpair"},
}
stand_ins = {name: Absent(sys.modules[name], names) for name, names in NAMES.items()}
inner = importing


def importing_stand_ins(name, globals=None, locals=None, fromlist=(), level=0):
    importer = str((globals or {}).get("__name__", ""))
    if importer.partition(".")[0] == "autograder" and name in stand_ins:
        return stand_ins[name]
    return inner(name, globals, locals, fromlist, level)


builtins.__import__ = importing_stand_ins
'''


def test_all_passes_with_the_reference_and_needs_no_posix(homework: Path, tmp_path: Path) -> None:
    """Every check passes, every part has its points, and the next step is named."""
    solve(homework)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NO_POSIX, encoding="utf-8")
    done = checks(homework, "-q", PYTHONPATH=str(site))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "26 passed" in done.stdout
    assert re.search(r"^1\.2 MADE\.inverse +1 of 1 point$", done.stdout, re.MULTILINE)
    assert re.search(r"^5\.5 Wasser.* 6\.5 of 6\.5 points$", done.stdout, re.MULTILINE)
    assert "All public checks pass." in done.stdout
    text = " ".join(done.stdout.split())
    assert "which run on Gradescope only, decide 46 of the homework's 65 points." in text
    assert "python make_submission.py" in done.stdout
    assert "Advice" not in done.stdout
    assert done.stderr == ""


def test_a_module_that_needs_posix_would_be_found(homework: Path, tmp_path: Path) -> None:
    """The stand-ins of the test above work."""
    (tmp_path / "sitecustomize.py").write_text(NO_POSIX, encoding="utf-8")
    module = homework / "grader/autograder/engine/local/environment.py"
    for line in ("import resource", "import os; os.fork"):
        edit(module, "import sys\n", f"import sys\n{line}\n")
        done = checks(homework, "-k", "1.2.5", PYTHONPATH=str(tmp_path))
        assert "which only POSIX has" in done.stdout + done.stderr
        edit(module, f"{line}\n", "")


def test_checks_are_ordinary_items(homework: Path) -> None:
    """They are listed without importing torch, and one runs by its node id or by its number."""
    solve(homework)
    block = str(homework / "block")
    (homework / "block").mkdir()
    (homework / "block" / "sitecustomize.py").write_text(
        "import sys\n\n\nclass Refuse:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch' and sys._getframe(1).f_code.co_name == '_find_spec':\n"
        "            raise ImportError('torch is imported')\n\n\n"
        "sys.meta_path.insert(0, Refuse())\n"
    )
    (homework / "grader/autograder/engine/local/environment.py").write_text(
        (homework / "grader/autograder/engine/local/environment.py")
        .read_text()
        .replace('_NEEDED = ("torch", ', "_NEEDED = (")
    )
    listed = checks(homework, "--collect-only", "-q", PYTHONPATH=block)
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "26 tests collected" in listed.stdout
    assert f"{PUBLIC}/test_1_2_made_inverse.py::test_input_is_left_unchanged" in listed.stdout
    name = f"{PUBLIC}/test_1_2_made_inverse.py::test_input_is_left_unchanged"
    assert "torch is imported" in checks(homework, name, PYTHONPATH=block).stderr
    for arguments in ([name], ["-k", "1.2.5"], ["grader", "-k", "input_is_left"]):
        done = checks(homework, *arguments, "-v")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{name} PASSED" in done.stdout
        assert "1 passed" in done.stdout


def test_the_libraries_settings_are_restored(homework: Path) -> None:
    """A file that changes torch's settings on import has the same effect on every check."""
    solve(homework)
    with (homework / FLOW).open("a", encoding="utf-8") as file:
        file.write("\n\ntorch.set_grad_enabled(False)\ntorch.set_default_dtype(torch.float64)\n")
    (homework / "test_mine.py").write_text(
        "import torch\n\n\ndef test_it():\n    assert torch.is_grad_enabled()\n"
        "    assert torch.get_default_dtype() == torch.float32\n"
    )
    done = checks(homework, "-q", "-k", "1.2.5 or 2.2.11 or test_it")
    # The network is made of float64 then, and its input is not: as on Gradescope.
    assert "FAILED grader/autograder/homework/checks/public/test_1_2" in done.stdout
    assert "1 failed, 2 passed" in done.stdout, done.stdout


def test_a_students_own_tests_run_with_the_checks(homework: Path) -> None:
    """`pytest my_test.py` runs it alone, without a summary of points."""
    (homework / "test_mine.py").write_text(
        "from codebase.flow_network import MADE\n\ndef test_it():\n    assert MADE(2, 3, 1)\n"
    )
    done = checks(homework, "test_mine.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "public checks, by part" not in done.stdout


def test_pytest_finds_the_checks_from_the_folder_above(homework: Path) -> None:
    """The summary has no internal error."""
    solve(homework)
    done = checks(homework, "-q", "-k", "1.2.5", folder=homework.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr


def test_an_unknown_number_lists_the_parts(homework: Path) -> None:
    """`-k 3.1` selects nothing."""
    done = checks(homework, "-k", "3.1")
    assert done.returncode == 5
    assert "No public check was run; the parts are 1.1, 1.2, 1.3, 2.2" in done.stdout


def test_the_number_of_a_private_check_is_explained(homework: Path) -> None:
    """`-k 1.2.2` selects nothing here, `-k 2.2.1` two others that begin alike."""
    done = checks(homework, "-k", "1.2.2")
    assert done.returncode == 5
    private = "1.2.2 is a private check: it runs on Gradescope only. Public checks of 1.2: 1.2.5,"
    assert private in done.stdout.replace("\n", " ")
    done = checks(homework, "--collect-only", "-q", "-k", "2.2.1 or 1.2.99 or 1.2.5 and not 1.2.1")
    assert "2.2.1 is a private check" in done.stdout
    assert "1.2.99 is not a check" in done.stdout
    assert "1.2.1 is" not in done.stdout
    assert "1.2.5 is" not in done.stdout


@pytest.mark.skipif(find_spec("xdist") is None, reason="needs pytest-xdist")
def test_xdist_gives_the_same_summary(homework: Path) -> None:
    """`-n 2`: points, feedback and requirements of checks in several processes."""
    solve(homework)
    for name in ("d_loss", "g_loss"):
        text = (homework / GAN).read_text()
        (homework / GAN).write_text(text.replace(f"return {name}", f"return 2 * {name}"))
    some = ("-q", "-k", "2.2.10 or 2.2.11 or 2.2.5 or 1.1")
    alone, together = checks(homework, *some), checks(homework, *some, "-n", "2")

    def end(done: subprocess.CompletedProcess[str]) -> str:
        return done.stdout.partition("by part")[2].partition("short test summary")[0]

    assert end(alone) == end(together)
    assert "does not have the value that the assignment defines" in together.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("from typing import override", "from typing import override needs Python 3.12"),
        ("import tomllib", "import tomllib needs Python 3.11"),
    ],
)
def test_code_too_new_for_gradescope_is_reported(homework: Path, line: str, said: str) -> None:
    """The handout knows Gradescope's version and warns in a newer Python."""
    settings = homework / "grader/autograder/homework/assignment.toml"
    edit(settings, 'python = "3.10"', 'python = "3.9"')
    edit(homework / GAN, "import torch\n", f"import torch\nif False:\n    {line}\n")
    done = checks(homework, "-q", "-k", "2.2.11")
    assert said in " ".join(done.stdout.split())
    assert "Gradescope runs Python 3.9" in " ".join(done.stdout.split())


def test_fingerprints_are_compared(homework: Path) -> None:
    """The submitted file is not the one here: the reason is printed and no check runs."""
    solve(homework)
    pasted = "Fingerprint: checks=000000000000 seed=236 python=3.10.1 gan.py=00000000"
    done = checks(homework, "--compare", pasted)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "gan.py differs: the submitted file is not the one in this folder" in text
    assert "Gradescope uses another version of the handout" in text
    assert "Versions differ: python" in text
    assert "passed" not in done.stdout
    wrong = checks(homework, "--compare", "hello")
    assert wrong.returncode == 4
    assert "This text contains no fingerprint" in wrong.stderr


def test_a_missing_package_is_named(homework: Path) -> None:
    """One sentence says how to install it; no traceback."""
    edit(
        homework / "grader/autograder/engine/local/environment.py",
        '_NEEDED = ("torch", ',
        '_NEEDED = ("torch", "no_such_package", ',
    )
    done = checks(homework)
    assert done.returncode == 4
    assert "cannot find no_such_package" in done.stderr
    assert "python -m pip install -r requirements.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_environment_is_reported_once(homework: Path) -> None:
    """As torch 2.2 with numpy 2: before the first check, and not as the student's fault."""
    solve(homework)
    (homework / "sitecustomize.py").write_text(
        "import torch\n\n\ndef broken(_):\n    raise RuntimeError('Numpy is not available')\n"
        "\n\ntorch.from_numpy = broken\n"
    )
    done = checks(homework, PYTHONPATH=str(homework))
    assert done.returncode == 4
    assert done.stderr.count("Numpy is not available") == 1
    assert "Your code is not the cause" in done.stderr
    assert "failed" not in done.stdout


def test_a_closed_pipe_causes_no_internal_error(homework: Path) -> None:
    """`pytest | head -1`."""
    command = f"{sys.executable} -m pytest -k 1.1 | head -1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=homework, capture_output=True, text=True, check=False
    )
    assert "INTERNALERROR" not in done.stdout + done.stderr
