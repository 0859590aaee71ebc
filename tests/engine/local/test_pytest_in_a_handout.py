"""`pytest` in an unzipped handout: the checks are ordinary tests with readable reports."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.engine.local.handout_kit import FLOW, GAN, MARKS, checks, edit, solve

pytestmark = MARKS


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
    # Of the three problems and a fourth, only the one that is reported.
    assert done.stdout.count("MY PRINT") == 1
    assert checks(homework, "-q", "-s", "-k", "1.2.7").stdout.count("MY PRINT") == 1
    assert "Gradescope only, decide 4 of the 5 points of 1.2." in text
    assert re.search(
        r"^1\.2 MADE\.inverse +0\.5 of 1 point +1\.2\.7 failed$", done.stdout, re.MULTILINE
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
    assert "Same cause as 2.2.11, see above." in done.stdout
    assert done.stdout.count("E       NameError") == 1
    assert "autograder/engine" not in done.stdout


def test_a_shape_that_fits_only_28_images_is_explained(homework: Path) -> None:
    """The exception is the student's, the explanation ours; the other checks refer to it."""
    solve(homework)
    edit(homework / GAN, "torch.rand(batch_size, 1, 1, 1, device", "torch.rand(batch_size, device")
    done = checks(homework, "-k", "5.5")
    assert "E       RuntimeError: The size of tensor a (2) must match" in done.stdout
    text = " ".join(done.stdout.split())
    assert "one number for each image needs the shape (B, 1, 1, 1) before you combine" in text
    assert done.stdout.count("Same cause as 5.5.5, see above.") == 3
    assert "Misuse" not in done.stdout


def test_a_syntax_error_is_reported_once(homework: Path) -> None:
    """With Python's reason and the line; the other checks refer to it, and advice has nothing."""
    solve(homework)
    edit(homework / FLOW, "        z = (x - mu) *", "        z = class (x - mu) *")
    done = checks(homework, "-rs", "-k", "1.1 or 1.2 or 1.3.5 or 1.3.9")
    assert done.stdout.count("SyntaxError: invalid syntax") == 1
    assert "    z = class (x - mu) *" in done.stdout
    assert "1.3.5: this code did not run, so there is no advice on it" in done.stdout
    assert "1.3.9: this code did not run, so there is no advice on it" in done.stdout
    assert "3 failed, 2 skipped" in done.stdout
    # pytest's own summary at the end repeats first lines, as wide as the terminal.
    reported = done.stdout.partition("short test summary info")[0]
    assert " ".join(reported.split()).count("Same cause as 1.1.6, see above.") == 2
    assert "try.py" not in done.stdout


def test_advice_does_not_repeat_a_failure(homework: Path) -> None:
    """A file that cannot be read is no advice; the next step names the part that passed."""
    solve(homework)
    assert "1.1 passes. Next: 1.2 MADE.inverse" in checks(homework, "-k", "1.1").stdout
    edit(homework / GAN, "def loss_nonsaturating_d(", "def def loss_nonsaturating_d(")
    done = checks(homework, "-k", "2.2.7 or 2.2.10")
    assert "SyntaxError: invalid syntax" in done.stdout
    assert "Advice, no points" not in done.stdout


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


def test_a_breakpoint_without_input_ends_the_run_with_one_sentence(homework: Path) -> None:
    """As in `pytest < /dev/null`; a process of pytest-xdist reports it as a failed check."""
    solve(homework)
    edit(homework / FLOW, "        x = torch.zeros_like(z)\n", "        breakpoint()\n")
    done = checks(homework, "-k", "1.1 or 1.2")
    assert re.search(
        r"The debugger at codebase/flow_network\.py, line \d+ got no input", done.stdout
    )
    assert "Run pytest in a terminal" in done.stdout
    assert done.stdout.count("(Pdb)") == 1
    assert "BdbQuit" not in done.stdout
    if find_spec("xdist"):
        done = checks(homework, "-q", "-n", "1", "-k", "1.1")
        text = " ".join(done.stdout.split())
        assert "got no input. Run pytest in a terminal and without -n" in text
        assert "crashed" not in done.stdout


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


def test_advice_on_devices_finds_a_tensor_on_the_cpu(homework: Path) -> None:
    """On torch's meta device, whose first use imports what reads this process's settings."""
    solve(homework)
    edit(homework / GAN, "torch.rand(batch_size, 1, 1, 1, device=device)", "torch.rand(1)")
    done = checks(homework, "-q", "-k", "2.2.8 or 5.5.9")
    assert "1 passed" in done.stdout
    text = " ".join(done.stdout.split())
    assert "On a GPU this would fail: loss_wasserstein_gp_d combines" in text


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
