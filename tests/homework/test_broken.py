"""Submissions that are broken rather than hostile, and the messages that their authors get."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from autograder.engine.grading.supervisor import Report
from autograder.engine.submission.encoding import SAVE_AS_UTF8
from tests.security.kit import FLOW, GAN, ROOT, Court

pytestmark = pytest.mark.e2e

REFERENCE = {name: (ROOT / "reference" / name).read_text(encoding="utf-8") for name in (FLOW, GAN)}
HEAD = "def loss_nonsaturating_d(g, d, x_real, *, device):\n"
ADVICE = "Run make_submission.py in the homework's folder and submit the zip that it makes."


@pytest.fixture(scope="module")
def court() -> Iterator[Court]:
    """One zygote for all of them."""
    with tempfile.TemporaryDirectory(prefix="broken-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        court = Court(folder, "")
        yield court
        court.zygote.close()


def graded(court: Court, gan: str | bytes | None, number: str = "2.2.1") -> str:
    """Grade the reference with this in place of gan.py; return the check's feedback."""
    with tempfile.TemporaryDirectory(prefix="broken-") as name:
        (Path(name) / "codebase").mkdir()
        (Path(name) / FLOW).write_text(REFERENCE[FLOW], encoding="utf-8")
        if gan is not None:
            (Path(name) / GAN).write_bytes(gan.encode() if isinstance(gan, str) else gan)
        report = court.grade(Path(name), (number,))
    entry = report.entries[court.numbers[number]]
    assert entry.share == 0
    return entry.feedback


@dataclass(frozen=True)
class Broken:
    """A replacement for gan.py, and the lines that its author gets."""

    gan: str | bytes | None
    reads: str


END = REFERENCE[GAN].count("\n") + 1
LIBRARY = "Import only from Python's standard library and what the template imports."
BROKEN = {
    "syntax error": Broken(
        REFERENCE[GAN] + "d_loss = (1 +\n",
        f"""
Python cannot read codebase/gan.py, line {END}: '(' was never closed.
The line reads: d_loss = (1 +
""",
    ),
    "tabs and spaces": Broken(
        REFERENCE[GAN] + "if True:\n\tx = 1\n        y = 2\n",
        f"""
Python cannot read codebase/gan.py, line {END + 2}: inconsistent use of tabs and \
spaces in indentation.
The line reads: y = 2
""",
    ),
    "unindented": Broken(
        REFERENCE[GAN] + "if True:\nx = 1\n",
        f"""
Python cannot read codebase/gan.py, line {END + 1}: expected an indented block \
after 'if' statement on line {END}.
The line reads: x = 1
""",
    ),
    "missing file": Broken(
        None,
        """
Not attempted: codebase/gan.py is not in the submission.
""",
    ),
    "a forgotten breakpoint": Broken(
        REFERENCE[GAN] + HEAD + "    breakpoint()\n    return d(x_real).mean()\n",
        """
breakpoint(), pdb and input() cannot be used in a grading: remove the call.
The line reads: breakpoint()
""",
    ),
    "a breakpoint at the top level": Broken(
        REFERENCE[GAN] + "import pdb; pdb.set_trace()\n",
        """
breakpoint(), pdb and input() cannot be used in a grading: remove the call.
The line reads: import pdb; pdb.set_trace()
""",
    ),
    "missing function": Broken(
        REFERENCE[GAN] + "del loss_nonsaturating_d\n",
        """
codebase/gan.py does not define loss_nonsaturating_d.
""",
    ),
    "changed signature": Broken(
        REFERENCE[GAN] + "def loss_nonsaturating_d(g, d):\n    return 0\n",
        """
Your code cannot be called in the way that the template's is called (TypeError).
Keep the template's names and arguments, in the same order.
""",
    ),
    "module that is not there": Broken(
        REFERENCE[GAN] + "import sklearn.nothing\n",
        f"""
codebase/gan.py, line {END} imports a module or name that does not exist here.
The line reads: import sklearn.nothing
{LIBRARY}
""",
    ),
    "misspelt file of the homework": Broken(
        REFERENCE[GAN] + "import netwrok\n",
        f"""
codebase/gan.py, line {END} imports a module or name that does not exist here.
The line reads: import netwrok
{LIBRARY}
""",
    ),
    "use of a package that is not installed, at the top": Broken(
        REFERENCE[GAN] + "import wandb\nwandb.init()\n",
        """
wandb is not installed where this is graded; remove its use from codebase/gan.py.
The line reads: wandb.init()
""",
    ),
    "use of a package that is not installed, in a function": Broken(
        REFERENCE[GAN] + "import wandb as w\n" + HEAD + "    w.log(1)\n",
        """
wandb is not installed where this is graded; remove its use from codebase/gan.py.
The line reads: w.log(1)
""",
    ),
    "an exception": Broken(
        REFERENCE[GAN] + HEAD + "    return d(x_real)[len(x_real)]\n",
        f"""
codebase/gan.py, line {END + 1} raised IndexError.
The line reads: return d(x_real)[len(x_real)]
""",
    ),
    "None returned": Broken(
        REFERENCE[GAN] + HEAD + "    loss = d(x_real).mean()\n",
        """
loss_nonsaturating_d must return loss as a tensor of shape () (one number); it returned None.
""",
    ),
    "wrong shape": Broken(
        REFERENCE[GAN] + HEAD + "    return d(x_real)\n",
        """
loss_nonsaturating_d returns a tensor of shape (2,); expected one number for the whole batch, \
a 0-d tensor.
""",
    ),
    "a number in place of a tensor": Broken(
        REFERENCE[GAN] + HEAD + "    return d(x_real).mean().item()\n",
        """
loss_nonsaturating_d returns a Python float; expected a 0-d tensor that gradients flow through.
""",
    ),
    "work at the top level": Broken(
        "import time\nwhile True:\n    time.sleep(1)\n",
        """
codebase/gan.py did not finish when it was imported.
Look for work at the top level of the file: loops, training, input(). Move it into functions, \
or under `if __name__ == "__main__":`.
""",
    ),
}


HARMLESS = {
    "not installed, unused": "import wandb\nfrom tensorboardX.a import SummaryWriter\n",
    "not installed, with a fallback": "try:\n    import wandb\nexcept ImportError:\n"
    "    wandb = None\nif wandb:\n    wandb.init()\n",
    "figures": "import matplotlib.pyplot as plt\nplt.figure()\nplt.plot([1])\nplt.show()\n",
    "the homework's own": "from codebase.gan_training import gan_batches\nimport figures\n",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_an_import_costs_nothing(court: Court, name: str) -> None:
    """Installed or not, as long as a missing package is not used."""
    with tempfile.TemporaryDirectory(prefix="broken-") as folder:
        (Path(folder) / "codebase").mkdir()
        (Path(folder) / GAN).write_text(REFERENCE[GAN] + HARMLESS[name], encoding="utf-8")
        report = court.grade(Path(folder), ("2.2.1", "2.2.9"))
    assert report.entries[court.numbers["2.2.1"]].share == 1
    advice = report.entries[court.numbers["2.2.9"]].feedback
    listed = {
        "not installed, unused": f"wandb (line {END}), tensorboardX (line {END + 1})",
        "not installed, with a fallback": f"wandb (line {END + 1})",
    }.get(name)
    assert (f"not installed where this is graded: {listed}. " in advice) == bool(listed)


@pytest.mark.parametrize("name", BROKEN)
def test_the_author_of_a_broken_file_gets_a_clear_message(court: Court, name: str) -> None:
    """The message says what is wrong, where, and what to do; a check's advice may follow."""
    broken = BROKEN[name]
    feedback = graded(court, broken.gan)
    assert feedback.startswith(broken.reads.strip()), feedback


def test_a_file_saved_as_utf_16_is_reported(court: Court) -> None:
    """The output names the encoding, the check the fix, too; Python's message does neither."""
    with tempfile.TemporaryDirectory(prefix="broken-") as name:
        (Path(name) / "gan.py").write_bytes(REFERENCE[GAN].encode("utf-16"))
        report = court.grade(Path(name), ("2.2.1",))
    output = str(report.results["output"])
    reads = "Python cannot read codebase/gan.py: it is saved as UTF-16, not as UTF-8."
    assert reads in output
    feedback = report.entries[court.numbers["2.2.1"]].feedback
    assert feedback == f"{reads}\n{SAVE_AS_UTF8}"


def zipped(path: Path, entries: dict[str, str]) -> Path:
    """A zip of these entries."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in entries.items():
            info = zipfile.ZipInfo(name)
            info.filename = name  # backslashes and all
            archive.writestr(info, text)
    return path


Make = Callable[[Path], Path]


@pytest.mark.parametrize(
    ("make", "reads"),
    [
        (
            lambda folder: zipped(folder / "s.zip", {}),
            "The submission is empty. Expected: codebase/flow_network.py and codebase/gan.py, as in"
            f" the template. {ADVICE}",
        ),
        (
            lambda folder: zipped(folder / "s.zip", {"hw.ipynb": "{}"}),
            "None of your code was found. Expected: codebase/flow_network.py and codebase/gan.py, "
            "as in the template. Found: 'hw.ipynb'. Notebooks are not graded: move your code into "
            f"the template's files. {ADVICE}",
        ),
        (
            lambda folder: zipped(folder / "s.zip", {"hw.pdf": "%PDF"}),
            "None of your code was found. Expected: codebase/flow_network.py and codebase/gan.py, "
            "as in the template. Found: 'hw.pdf'. Written answers are not graded here: submit the "
            f"code. {ADVICE}",
        ),
        (
            lambda folder: zipped(folder / "s.zip", {".git/codebase/gan.py": "x = 1"}),
            "None of your code was found. Expected: codebase/flow_network.py and codebase/gan.py, "
            "as in the template. Found: '.git/codebase/gan.py'. Files in hidden folders, caches "
            "and environments are not graded, nor files in too many nested folders: move yours. "
            f"{ADVICE}",
        ),
    ],
    ids=["an empty zip", "a notebook", "a PDF", "a hidden folder"],
)
def test_a_zip_without_code_is_refused_with_a_list_of_its_files(
    court: Court, tmp_path: Path, make: Make, reads: str
) -> None:
    """The submission gets 0; the output says what was expected, what was found and what to do."""
    report = court.grade(make(tmp_path))
    assert report.refused == reads
    assert reads in str(report.results["output"])
    assert {entry.share for entry in report.entries.values()} == {0.0}


def test_a_zip_from_windows_with_a_notebook_and_a_pdf_in_it_is_graded(
    court: Court, tmp_path: Path
) -> None:
    """Backslashes, a wrapping folder and extra files cost nothing."""
    entries = {f"hw3\\{name.replace('/', chr(92))}": text for name, text in REFERENCE.items()}
    archive = zipped(tmp_path / "s.zip", {**entries, "hw3\\w.ipynb": "{}", "hw3\\w.pdf": "%PDF"})
    report: Report = court.grade(archive, ("1.2.5", "2.2.1"))
    assert court.scores(report, ("1.2.5", "2.2.1")) == {"1.2.5": 1.0, "2.2.1": 1.0}
    output = str(report.results["output"])
    assert "codebase/gan.py was taken from 'hw3/codebase/gan.py'." in output
