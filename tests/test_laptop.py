"""`pytest` in an unzipped handout: what a student reads, on systems with fork and without."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder.engine.assignment import load_assignment
from autograder.engine.packing import ZIP, Sources, build_handout

ROOT = Path(__file__).resolve().parents[1]
REFERENCE, TEMPLATE = ROOT / "reference", ROOT / "student_template"
FLOW, GAN = "codebase/flow_network.py", "codebase/gan.py"

pytestmark = pytest.mark.e2e

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
    homework: Path, *arguments: str, worker: str = "spawn", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Call pytest as a student does; nothing of this project's checkout is on the path."""
    return subprocess.run(
        [Path(sys.executable).with_name("pytest"), *arguments],
        cwd=homework,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHONPATH"))},
            "AUTOGRADER_WORKER": worker,
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_first_run_is_kind_and_short(homework: Path) -> None:
    """The untouched template: a line for every part, and where to begin."""
    done = checks(homework)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) < 20
    assert sum(line.endswith("to do") for line in lines) == 6
    assert "Nothing is written yet" in done.stdout
    assert "    pytest -k 1.1" in lines
    assert "fail" not in done.stdout.lower()
    assert done.stderr == ""


def test_all_passes_with_the_reference(homework: Path) -> None:
    """Forked, as on Linux: every check is listed with its points, every part with its sum."""
    solve(homework)
    done = checks(homework, worker="fork")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^  ok      \d\.\d\.\d+ ", done.stdout, re.MULTILINE)) == 18
    assert re.search(r"^  ok      1\.2\.7  0\.5/0\.5  inverse\(\) gives", done.stdout, re.MULTILINE)
    assert re.search(r"^1\.2 MADE\.inverse +1/1   of 5 in all$", done.stdout, re.MULTILINE)
    assert re.search(r"^5\.5 Wasser.* 6\.5/6\.5   of 15 in all$", done.stdout, re.MULTILINE)
    assert "FAILED" not in done.stdout
    assert "Advice" not in done.stdout
    assert done.stderr == ""


def test_no_posix_is_needed_where_workers_are_spawned(homework: Path, tmp_path: Path) -> None:
    """Neither judge nor worker reaches what Windows lacks; all public checks still pass."""
    solve(homework)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NO_POSIX, encoding="utf-8")
    done = checks(homework, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^  ok ", done.stdout, re.MULTILINE)) == 18
    forked = checks(homework, "-k", "1.2.5", worker="fork", PYTHONPATH=str(site))
    assert "which only POSIX has" in forked.stdout + forked.stderr, "the stand-ins do nothing"


def test_a_failure_reads_as_on_gradescope_with_a_snippet(homework: Path) -> None:
    """What, where, numbers, the mistake's name; and Python that shows the same."""
    solve(homework)
    edit(homework / FLOW, "log_det = -alpha.sum(dim=1)", "log_det = alpha.sum(dim=1)")
    done = checks(homework, "-k", "1.2")
    assert done.returncode == 1
    assert "  FAILED  1.2.7    0/0.5  inverse() gives the known z" in done.stdout
    assert "  ok      1.2.5  0.5/0.5" in done.stdout
    assert "log_det[0]: got -1.10071, expected 1.10071, allowed" in done.stdout
    assert "The log-determinant of inverse() has the wrong sign" in done.stdout
    assert re.search(r"^1\.2 MADE\.inverse +0\.5/1   of 5 in all$", done.stdout, re.MULTILINE)
    assert "1.1" not in done.stdout.replace("1.10071", "")
    snippet = re.search(r"run python try.py:\n\n((?:    .*\n|\n)+)", done.stdout)
    assert snippet is not None
    (homework / "try.py").write_text(re.sub(r"(?m)^    ", "", snippet[1]), encoding="utf-8")
    shown = subprocess.run(
        [sys.executable, "try.py"], cwd=homework, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "log_det = [-1.1007" in shown.stdout
    assert "expected [1.1007" in shown.stdout


def test_a_syntax_error_is_told_once(homework: Path) -> None:
    """The second check that it stops names the first; no snippet could run."""
    solve(homework)
    edit(homework / FLOW, "class MADE(", "class class MADE(")
    done = checks(homework, "-k", "1.2")
    assert done.stdout.count(": invalid syntax.") == 1
    assert "Python cannot read codebase/flow_network.py, line " in done.stdout
    assert "Python cannot read codebase/flow_network.py; see check 1.2.5." in done.stdout
    assert "try.py" not in done.stdout


def test_a_worker_that_dies_or_hangs_is_started_again(homework: Path) -> None:
    """One function ends its process, one never returns: the checks of the others pass."""
    solve(homework)
    endless = "\n        while True:\n            pass"
    settings = homework / "grader/autograder/homework/assignment.toml"
    edit(settings, "call_timeout_s = 6", "call_timeout_s = 1")
    edit(homework / FLOW, "log_det = alpha.sum(dim=1)", "__import__('os')._exit(7)")
    edit(homework / FLOW, "z = (x - mu) * torch.exp(-alpha)", endless)
    done = checks(homework, "-k", "1.1 or 1.2 or 1.3")
    assert "FAILED  1.1.6" in done.stdout
    assert "ended before it answered: it exited with status 7" in done.stdout
    assert "Your code did not return within 1 s" in done.stdout
    assert "  ok      1.3.7" in done.stdout
    assert "ERROR" not in done.stdout


def test_a_file_that_is_missing_is_named(homework: Path) -> None:
    """Its checks have nothing to do; the other file's run."""
    solve(homework)
    (homework / GAN).unlink()
    done = checks(homework, "-k", "1.2.5 or 2.2.5")
    assert "codebase/gan.py is not in" in done.stdout
    assert "  ok      1.2.5" in done.stdout
    assert re.search(r"^2\.2 Non-saturating GAN +to do$", done.stdout, re.MULTILINE)


def test_names_can_be_asked_for_too(homework: Path) -> None:
    """`-k` takes pytest's own expressions beside numbers; only what ran is shown."""
    solve(homework)
    done = checks(homework, "-k", "input_is_left")
    assert done.returncode == 0
    assert "  ok      1.2.5" in done.stdout
    assert "1.2.7" not in done.stdout


def test_a_number_that_is_no_check_is_told(homework: Path) -> None:
    """With the numbers that there are."""
    done = checks(homework, "-k", "3.1")
    assert done.returncode == 5
    assert "No public check is called 3.1; the parts are 1.1, 1.2, 1.3, 2.2" in done.stdout


def test_fingerprints_are_compared(homework: Path) -> None:
    """What was handed in is not what is here: it says so, and runs nothing."""
    solve(homework)
    pasted = "Fingerprint: checks=000000000000 seed=236 python=3.10.1 gan.py=00000000"
    done = checks(homework, "--compare", pasted)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "gan.py differs: what was handed in is not what is in this folder now" in text
    assert "your handout is not the one that is graded with" in text
    assert "Versions differ: python" in text
    assert "  ok " not in done.stdout
    wrong = checks(homework, "--compare", "hello")
    assert wrong.returncode == 4
    assert "That holds no fingerprint" in wrong.stdout


def test_a_students_own_tests_run_as_ever(homework: Path) -> None:
    """`pytest my_test.py` is pytest's business."""
    (homework / "test_mine.py").write_text(
        "from codebase.flow_network import MADE\n\ndef test_it():\n    assert MADE(2, 3, 1)\n"
    )
    done = checks(homework, "test_mine.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_what_is_not_installed_is_named(homework: Path, tmp_path: Path) -> None:
    """One sentence says what to install; no traceback."""
    edit(
        homework / "grader/autograder/engine/laptop/hooks.py",
        '"safetensors", ',
        '"safetensors", "no_such_package", ',
    )
    done = checks(homework)
    assert done.returncode == 4
    assert "no_such_package cannot be found by" in done.stderr
    assert "python -m pip install -r requirements.txt" in done.stderr
    assert "Traceback" not in done.stderr
