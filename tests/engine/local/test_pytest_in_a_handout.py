"""`pytest` in an unzipped handout: the checks are ordinary tests with readable reports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from autograder.engine.homework import load_assignment
from autograder.engine.release.handout import ZIP, Sources, build_handout

ROOT = Path(__file__).resolve().parents[3]
REFERENCE, TEMPLATE = ROOT / "reference", ROOT / "student_template"
FLOW, GAN = "codebase/flow_network.py", "codebase/gan.py"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(find_spec("pytest_timeout") is None, reason="needs pytest-timeout"),
]
PUBLIC = "grader/autograder/homework/checks/public"

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


@pytest.fixture(scope="module")
def unzipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The handout as students get it."""
    folder = tmp_path_factory.mktemp("handout")
    build_handout(Sources(load_assignment("autograder.homework"), REFERENCE, TEMPLATE), folder)
    with zipfile.ZipFile(folder / ZIP) as archive:
        archive.extractall(folder / "unzipped")
    return folder / "unzipped"


@pytest.fixture
def homework(unzipped: Path, tmp_path: Path) -> Path:
    """A student's copy, in a folder with a space in its name."""
    return Path(shutil.copytree(unzipped, tmp_path / "my homework"))


def solve(homework: Path) -> None:
    """Write the reference's solutions into it."""
    for name in (FLOW, GAN):
        shutil.copy(REFERENCE / name, homework / name)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a piece of text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def checks(
    homework: Path, *arguments: str, folder: Path | None = None, typed: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Call pytest as a student does; nothing of this project's checkout is on the path."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", *arguments],
        cwd=folder or homework,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHONPATH"))},
            **more,
        },
        capture_output=True,
        input=typed,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_first_run_is_short_and_names_the_first_step(homework: Path) -> None:
    """With the template every check is skipped; there is a line for every part."""
    done = checks(homework, "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) < 16
    assert sum(line.endswith("not implemented yet") for line in lines) == 6
    text = " ".join(done.stdout.split())
    assert "Nothing is implemented yet. Start with 1.1 MADE.forward" in text
    assert "then run: pytest -k 1.1" in text
    assert "fail" not in done.stdout.lower()
    assert "26 skipped" in lines[-1]
    assert done.stderr == ""


def test_a_stub_is_a_skip_with_its_reason(homework: Path) -> None:
    """`-rs` shows the function that is not implemented."""
    done = checks(homework, "-q", "-rs", "-k", "1.1 or 2.2.11")
    assert "1.1 MADE.forward is not implemented yet" in done.stdout
    assert "2.2 loss_nonsaturating_d is not implemented yet" not in done.stdout
    assert "2.2 loss_nonsaturating_g is not implemented yet" in done.stdout


def test_all_passes_with_the_reference_and_needs_no_posix(homework: Path, tmp_path: Path) -> None:
    """Every check passes, every part has its points, and the next step is named."""
    solve(homework)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NO_POSIX, encoding="utf-8")
    done = checks(homework, "-q", PYTHONPATH=str(site))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "26 passed" in done.stdout
    assert re.search(r"^1\.2 MADE\.inverse +1 of 1 points$", done.stdout, re.MULTILINE)
    assert re.search(r"^5\.5 Wasser.* 6\.5 of 6\.5 points$", done.stdout, re.MULTILINE)
    assert "All public checks pass." in done.stdout
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


def test_a_failure_shows_the_feedback_and_a_snippet_that_runs(homework: Path) -> None:
    """It has the numbers, the mistake's name and the student's output, and none of our code."""
    solve(homework)
    edit(
        homework / FLOW,
        "log_det = -alpha.sum(dim=1)",
        'print("MY PRINT"); log_det = alpha.sum(dim=1)',
    )
    done = checks(homework, "-k", "1.2")
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert "1.2.7 inverse() gives the expected z" in done.stdout
    assert "log_det[0]: got -1.10071, expected 1.10071, allowed" in text
    assert "The log-determinant of inverse() has the wrong sign" in text
    assert "Captured stdout call" in done.stdout
    assert "MY PRINT" in done.stdout
    assert re.search(
        r"^1\.2 MADE\.inverse +0\.5 of 1 points +1\.2\.7 failed$", done.stdout, re.MULTILINE
    )
    assert "1 failed, 1 passed" in done.stdout
    assert "check_golden" not in done.stdout
    assert "\x1b[" not in done.stdout, "codes where no terminal is"
    snippet = re.search(r"run: python try.py\n\n((?:    .*\n|\n)+)", done.stdout)
    assert snippet is not None
    (homework / "try.py").write_text(re.sub(r"(?m)^    ", "", snippet[1]), encoding="utf-8")
    shown = subprocess.run(
        [sys.executable, "try.py"], cwd=homework, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "log_det = [-1.1007" in shown.stdout
    assert "expected [1.1007" in shown.stdout
    coloured = checks(homework, "-k", "1.2.7", "--color", "yes").stdout
    assert re.search(r"\x1b\[33m(\x1b\[1m)?The log-determinant of inverse", coloured)


def test_an_exception_shows_the_students_frames_only(homework: Path) -> None:
    """As pytest shows them, with the source line; the next check refers to it."""
    solve(homework)
    edit(homework / GAN, "g_loss = F.softplus(-d(g(z))).mean()", "g_loss = nothing(d(g(z))).mean()")
    done = checks(homework, "-k", "2.2.11 or 2.2.6")
    assert ">       g_loss = nothing(d(g(z))).mean()" in done.stdout
    assert "E       NameError: name 'nothing' is not defined" in done.stdout
    assert re.search(r"codebase/gan\.py, line \d+ raised NameError\.$", done.stdout, re.MULTILINE)
    assert "raised NameError. The same as 2.2.11, see above." in " ".join(done.stdout.split())
    assert done.stdout.count("E       NameError") == 1
    assert "autograder/engine" not in done.stdout


def test_a_syntax_error_is_reported_once(homework: Path) -> None:
    """With Python's reason and the line; the other checks refer to it."""
    solve(homework)
    edit(homework / FLOW, "class MADE(", "class class MADE(")
    done = checks(homework, "-k", "1.1 or 1.2")
    assert done.stdout.count("SyntaxError: invalid syntax") == 1
    assert "    class class MADE(" in done.stdout
    # pytest's own summary at the end repeats first lines, as wide as the terminal.
    reported = done.stdout.partition("short test summary info")[0]
    assert " ".join(reported.split()).count("The same as 1.1.6, see above.") == 2
    assert "try.py" not in done.stdout


def test_a_hang_ends_and_shows_where(homework: Path) -> None:
    """pytest-timeout ends it; the same function is not called again."""
    solve(homework)
    edit(homework / GAN, "    z = torch.randn(batch_size, g.dim_z", "    z = hang(g.dim_z")
    (homework / GAN).write_text(
        (homework / GAN).read_text().replace("    z = torch.randn(", "    z = hang(")
        + "\n\ndef hang(*_, **__):\n    while True:\n        pass\n"
    )
    assert "timeout = 60" in (homework / "pytest.ini").read_text()
    done = checks(homework, "-k", "1.2.5 or 2.2.10 or 2.2.5", "-o", "timeout=10")
    assert "1 passed" in done.stdout
    assert "Your code did not return within 10.0 s." in done.stdout
    assert "while True:" in done.stdout
    assert "Your code did not return in time" in done.stdout
    assert "it was not run again here" in " ".join(done.stdout.split())


def test_a_debugger_stops_in_the_students_code(homework: Path) -> None:
    """`breakpoint()` and `--pdb` both: variables can be asked for."""
    solve(homework)
    edit(homework / FLOW, "        x = torch.zeros_like(z)\n", "        breakpoint()\n")
    done = checks(homework, "-k", "1.1", typed="p ('shape', tuple(z.shape))\nq\n")
    assert "('shape', (2, 2))" in done.stdout
    edit(homework / FLOW, "        breakpoint()\n", "        secret = 41\n        nothing()\n")
    done = checks(homework, "-k", "1.1", "--pdb", typed="p ('secret', secret + 1)\nq\n")
    assert "('secret', 42)" in done.stdout


def test_leaving_the_debugger_ends_the_run(homework: Path) -> None:
    """One `q` is enough in a loss too: it is not called again to explain what went wrong."""
    solve(homework)
    loss = (homework / GAN).read_text(encoding="utf-8")
    line = next(line for line in loss.splitlines() if "d_loss = F.softplus" in line)
    edit(homework / GAN, line, f"    breakpoint()\n{line}")
    done = checks(homework, "-k", "2.2.10", typed="q\n")
    assert "Exit: Quitting debugger" in done.stdout
    assert done.stdout.count("(Pdb)") == 1
    assert "works on a batch" not in done.stdout


def test_a_file_that_is_missing_is_named(homework: Path) -> None:
    """Its checks are skipped; the other file's run."""
    solve(homework)
    (homework / GAN).unlink()
    done = checks(homework, "-q", "-rs", "-k", "1.2.5 or 2.2.5")
    assert "codebase/gan.py is not in the submission" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_advice_is_neither_a_pass_nor_a_failure(homework: Path) -> None:
    """It is counted as advice, its text is at the end, and the status is 0."""
    solve(homework)
    edit(homework / GAN, "# END SOLUTION", "# END SOLUTION\n    # mine")
    with (homework / GAN).open("a", encoding="utf-8") as file:
        file.write("\n\nMINE = 1\n")
    done = checks(homework, "-q", "-k", "2.2.9")
    assert done.returncode == 0
    assert "1 advice" in done.stdout
    assert "Advice, no points: 2.2.9 codebase/gan.py" in done.stdout
    without = checks(homework, "--collect-only", "-q", "-m", "not advice").stdout
    assert "18/26 tests collected (8 deselected)" in without


def test_a_check_that_is_not_counted_yet_says_so(homework: Path) -> None:
    """z is correct, the losses are not: the check is skipped and the points are withheld."""
    solve(homework)
    for name in ("d_loss", "g_loss"):
        text = (homework / GAN).read_text()
        (homework / GAN).write_text(text.replace(f"return {name}", f"return 2 * {name}"))
    done = checks(homework, "-q", "-k", "2.2.10 or 2.2.11 or 2.2.5")
    assert "2 failed, 1 skipped" in done.stdout
    assert re.search(r"^2\.2 .* 2\.2\.5 not counted yet$", done.stdout, re.MULTILINE)
    assert "It earns its points once 2.2.10 or 2.2.11 passes" in " ".join(done.stdout.split())


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
