"""What a laptop needs is found by imports, and holds nothing that may not be handed out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.engine.homework import load_assignment
from autograder.engine.release import fingerprint, manifest
from autograder.engine.release.fingerprint import explain, parse, take
from autograder.engine.release.manifest import SecretFileNeeded, hash_of_public_checks, public_files

ROOT = Path(__file__).resolve().parents[3]
HOMEWORK = ROOT / "autograder" / "homework"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the grader that a test may spoil."""
    shutil.copytree(
        ROOT / "autograder", tmp_path / "autograder", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "autograder/engine/release/x.py"))
    public_files.cache_clear()
    yield tmp_path / "autograder" / "homework"
    public_files.cache_clear()


def test_nothing_secret_is_shipped() -> None:
    """No oracle, no mistake, no private check, no command; but all public checks."""
    names = {path.relative_to(ROOT).as_posix() for path in public_files(HOMEWORK)}
    for name in names:
        for secret in ("oracles", "mistakes", "private", "commands", "strategies"):
            assert secret not in name
    for name in ("golden/maker", "losses/expected", "losses/checks", "training_runs/flow_training"):
        assert f"autograder/homework/{name}.py" not in names
    public = {p.relative_to(ROOT).as_posix() for p in (HOMEWORK / "checks/public").glob("*.py")}
    assert public <= names
    assert "autograder/homework/checks/public/golden.json" in names
    for name in ("zygote", "frames", "serve", "launch"):
        assert f"autograder/engine/sandbox/{name}.py" not in names, "there is no worker"
    assert "autograder/engine/sandbox/experiment.py" in names


@pytest.mark.parametrize(
    "line",
    [
        "from autograder.homework.oracles import flow",
        "import autograder.homework.mistakes.catalogue",
        "from autograder.homework import (\n    golden,\n    strategies,\n)",
        'NAME = "autograder.homework.mistakes.catalogue"',
    ],
)
def test_a_public_check_that_needs_a_secret_stops_the_build(copy: Path, line: str) -> None:
    """However it is imported, and through how many hands; the way is shown."""
    with (copy / "tolerances.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(SecretFileNeeded, match=r"needs a secret file: .* -> .*tolerances"):
        public_files(copy)


def test_the_hash_follows_what_decides_a_check(copy: Path) -> None:
    """A check or what it imports changes it; settings, private checks and line endings do not."""
    before = hash_of_public_checks(copy)
    for name in ("assignment.toml", "oracles/flow.py", "checks/private/test_1_3_maf.py"):
        with (copy / name).open("a", encoding="utf-8") as file:
            file.write("# more\n")
    check = copy / "checks/public/test_edits.py"
    check.write_bytes(check.read_bytes().replace(b"\n", b"\r\n"))
    assert hash_of_public_checks(copy) == before
    with (copy / "sampling/checks.py").open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert hash_of_public_checks(copy) != before


# ---- fingerprints -------------------------------------------------------------------------------


def taken() -> fingerprint.Fingerprint:
    """The fingerprint of the reference, here."""
    return take(load_assignment("autograder.homework"), ROOT / "reference")


def test_a_fingerprint_survives_being_pasted() -> None:
    """With the words around it, in quotes, with line breaks of a terminal."""
    mine = taken()
    text = f'Total 5 / 65\n\nFingerprint: {mine}"\n'.replace(" torch", "\n  torch")
    assert parse(text) == mine
    assert parse("no fingerprint at all = 3") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("checks={checks}", "checks=000000000000", "your handout is not the one"),
        ("seed={seed}", "seed=7", "The seeds differ"),
        ("gan.py={gan}", "gan.py=00000000", "gan.py differs: what was handed in is not what is in"),
        ("gan.py={gan}", "gan.py=missing", "gan.py was not in what was handed in"),
        ("torch={torch}", "torch=1.0", "Versions differ: torch"),
        ("", "", "The fingerprints are the same"),
    ],
)
def test_every_difference_is_explained(old: str, new: str, said: str) -> None:
    """One reason for each, in words that say what to do."""
    mine = taken()
    known = {
        "checks": mine.checks,
        "seed": mine.seed,
        "gan": mine.files["gan.py"],
        "torch": mine.versions["torch"],
    }
    pasted = parse(str(mine).replace(old.format(**known), new))
    assert pasted is not None
    (reason,) = explain(mine, pasted)
    assert said in reason


def test_a_file_that_is_missing_here_is_named(tmp_path: Path) -> None:
    """An empty folder is compared too."""
    here = take(load_assignment("autograder.homework"), tmp_path)
    assert any("gan.py is not in this folder" in line for line in explain(here, taken()))
